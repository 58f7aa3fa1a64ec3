//! What was: of each check its last hour and its last failure, and what changed on the host.

mod check;
mod events;
mod hour;
mod questions;

pub use check::{CheckHistory, Histories, LastFail, PollAnswer, SharedHistory, minute};
pub use events::{EventKind, Events, HostEvent};
pub use hour::{Hour, MinuteFlag};
