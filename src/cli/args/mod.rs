//! From what people type to what an applet takes, and the texts that describe it.

pub(crate) mod argv;
pub(crate) mod help;
pub(crate) mod reason;
pub(crate) mod times;
pub(crate) mod values;

use argh::FlagInfo;

/// Whether an option's value may be left out; where it is not, it stands behind `=`.
#[must_use]
pub fn may_lack_value(option: &FlagInfo<'_>) -> bool {
    argv::implied_value(option).is_some()
}
