//! Names as people write them: services, instances, the nearest known name of a mistyped one, and texts of others on one line.
//!
//! Rule: a leaf. A name that exists as a type is a valid one.

mod key;
pub mod leftovers;
pub mod nearest;
pub(crate) mod pattern;
pub(crate) mod sort;
pub mod text;

pub(crate) use key::TEMP_MARK;
pub use key::{ALL, Key, NameError, ServiceName, fits_url, parse_port};
