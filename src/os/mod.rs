//! What the operating system gives: errors in words, the log, processes, service manager, limits.
//!
//! Rule: a leaf. It knows nothing of hacheck's own rooms.

pub mod cause;
pub mod logging;
pub mod orphans;
pub mod process;
pub(crate) mod signals;
pub mod sys;
pub mod systemd;
