//! Values of options that several applets take.

use crate::cli::failure::Failure;

/// A whole number from 1.
pub(crate) fn number(option: &str, text: Option<&str>) -> Result<Option<u32>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let number = text.parse().ok().filter(|n| *n > 0);
    let wrong = || Failure::usage(format!("{option}: {text:?} is not a number from 1 on"));
    number.map(Some).ok_or_else(wrong)
}
