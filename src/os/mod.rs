//! What the operating system gives: errors in words, the log, programs, users, limits, signals, the service manager.
//!
//! Rule: a leaf. It knows nothing of hacheck's own rooms.

pub(crate) mod access;
pub mod background;
pub mod cause;
pub mod figures;
pub mod file_limit;
pub mod files;
pub(crate) mod going_down;
pub(crate) mod held_signals;
pub mod host_names;
pub(crate) mod listening;
pub mod logging;
pub mod orphans;
pub mod process;
pub mod reading;
pub(crate) mod signals;
pub mod sys;
pub mod systemd;
pub(crate) mod times;
pub mod users;
