//! Names as people write them: services, instances, and the nearest known name of a mistyped one.
//!
//! Rule: a leaf. A name that exists as a type is a valid one.

mod key;
pub mod nearest;

pub use key::{ALL, Key, NameError, ServiceName, TEMP_MARK, fits_url, parse_port};
