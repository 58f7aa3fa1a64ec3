//! Single values: texts, paths, numbers, sizes, times.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::Reader;
use crate::settings::numbers::{digits, number, other_base, size, size_words};

impl Reader<'_> {
    /// A text that `parse` takes; `what` and `remedy` make the fault when it does not.
    pub fn parsed<T>(
        &self,
        what: &str,
        remedy: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.plain().and_then(parse);
        if value.is_none() {
            self.fault(what, remedy);
        }

        value
    }

    /// A text, exactly as written, numbers and booleans too; not an empty one.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let text = self.any_text()?;
        if text.trim().is_empty() {
            self.fault("is empty", "write a text, or leave the key out");
            return None;
        }

        Some(text)
    }

    /// A text, exactly as written, that may be empty.
    #[must_use]
    pub(crate) fn any_text(&self) -> Option<String> {
        let remedy = "write one, in quotes if it has special characters";
        self.parsed("is not a text", remedy, |text| Some(text.to_owned()))
    }

    /// A path of a file, absolute or relative to where hacheck is started.
    #[must_use]
    pub fn path(&self, example: &str) -> Option<PathBuf> {
        let remedy = format!("write one such as {example}");
        self.parsed("is not the path of a file", &remedy, path)
    }

    /// A boolean in any of YAML 1.1's words, quoted or not, or 0 or 1.
    #[must_use]
    pub(crate) fn boolean(&self) -> Option<bool> {
        self.parsed("is neither yes nor no", "write true or false", boolean)
    }

    /// A whole number of `min` to `max`, both included, quoted or not.
    #[must_use]
    pub fn whole(&self, min: u64, max: u64) -> Option<u64> {
        self.whole_or(min, max, "")
    }

    /// [`Reader::whole`] where something else is possible too: ` or 'max'` at the end of the remedy.
    #[must_use]
    pub(crate) fn whole_or(&self, min: u64, max: u64, or: &str) -> Option<u64> {
        let remedy = format!("write a whole number from {min} to {max}{or}");
        let text = self.numeral().unwrap_or_default();
        let Some(digits) = digits(&text) else {
            self.fault(not_whole(&text), remedy);
            return None;
        };

        // A number that does not fit a u64 is out of range too.
        self.within(min..=max, digits.parse().ok(), &remedy)
    }

    /// A number that was read, if it is in range.
    fn within<N: PartialOrd>(
        &self,
        range: RangeInclusive<N>,
        number: Option<N>,
        remedy: &str,
    ) -> Option<N> {
        let value = number.filter(|number| range.contains(number));
        if value.is_none() {
            self.fault("is out of range", remedy);
        }

        value
    }

    /// [`Reader::whole`] for counts that are held in memory.
    #[must_use]
    pub fn count(&self, min: usize, max: usize) -> Option<usize> {
        let number = self.whole(min as u64, max as u64)?;
        usize::try_from(number).ok()
    }

    /// A number of bytes of `min` to `max`, with or without `KiB`, `MiB`, `GiB` (or `k`, `m`, `g`).
    #[must_use]
    pub fn bytes(&self, min: usize, max: usize) -> Option<usize> {
        let remedy = size_remedy(min, max);
        let bytes = self.parsed_number("is not a size", &remedy, size)?;
        self.within(min..=max, usize::try_from(bytes).ok(), &remedy)
    }

    /// A number, quoted or not, that may be infinite (`.inf`), never "not a number".
    #[must_use]
    pub fn number(&self, remedy: &str) -> Option<f64> {
        self.parsed_number("is not a number", remedy, number)
    }

    /// Whether the value is the number 0, without a complaint.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.plain().and_then(number) == Some(0.0)
    }

    /// [`Reader::parsed`] for texts that hold a number: `010` is 8 here, as PyYAML has it, and is warned about.
    pub(crate) fn parsed_number<T>(
        &self,
        what: &str,
        remedy: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.numeral();
        let value = text.and_then(|text| parse(&text));
        if value.is_none() {
            self.fault(what, remedy);
        }

        value
    }

    /// The text of a number, in decimal.
    fn numeral(&self) -> Option<Cow<'_, str>> {
        let text = self.plain()?;
        match other_base(text) {
            Some(value) => {
                self.warn_of_base(value);
                Some(value.to_string().into())
            }
            None => Some(text.into()),
        }
    }

    fn warn_of_base(&self, value: u64) {
        let shown = self.shown();
        self.warn(format!(
            "{shown} is read as {value}, as YAML 1.1 has it; write the decimal number without a leading zero"
        ));
    }

    /// Seconds of `min` to `max`, both included, as a number with or without a fraction.
    #[must_use]
    pub fn seconds(&self, min: f64, max: f64) -> Option<Duration> {
        let remedy = format!("write a number of seconds from {min} to {max}");
        let number = self.number(&remedy)?;
        let seconds = self.within(min..=max, Some(number), &remedy)?;
        // Every setting has limits that a Duration can hold.
        Duration::try_from_secs_f64(seconds).ok()
    }
}

fn path(text: &str) -> Option<PathBuf> {
    // No path of Unix has a zero byte.
    let fits = !text.trim().is_empty() && !text.contains('\0');
    fits.then(|| text.into())
}

fn boolean(text: &str) -> Option<bool> {
    // The words of YAML 1.1, which PyYAML takes; the library itself takes `true` and `false` only.
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "1" => Some(true),
        "false" | "no" | "off" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// What is wrong with a text that is no whole number.
fn not_whole(text: &str) -> &'static str {
    // All digits and still not whole: only 08 and the like, because 010 was read as octal.
    let text = text.trim();
    let is_octal = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if is_octal {
        "has a leading zero, as octal numbers have"
    } else {
        "is not a whole number"
    }
}

fn size_remedy(min: usize, max: usize) -> String {
    let (min, max) = (size_words(min), size_words(max));
    format!("write bytes, or a size such as 8MiB, from {min} to {max}")
}
