//! `%(name)s` in values: another option of the section.

use std::fmt;

use super::{Ini, short};

/// How deep `%(name)s` may lead.
const DEPTH_MAX: usize = 10;

/// How often options may be put into one value.
const REPLACED_MAX: usize = 1000;

/// Longest value once everything is replaced, in bytes.
const VALUE_MAX: usize = 64 << 10;

/// Why a value means nothing, to follow its name in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ReplaceError {
    NotUtf8,
    LonePercent,
    UnknownName(String),
    Circle,
    TooMany,
    TooLong,
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => f.write_str("is not UTF-8; write it in UTF-8"),
            Self::LonePercent => {
                f.write_str("has a '%' that is not %(name)s; write %% for the sign itself")
            }
            Self::UnknownName(name) => {
                write!(f, "%({name})s names an option that is not there")
            }
            Self::Circle => f.write_str("%(name)s leads back to itself; write the value out"),
            Self::TooMany => f.write_str("names too many other options; write it out"),
            Self::TooLong => {
                f.write_str("is longer than 64 KiB once its options are replaced; write it out")
            }
        }
    }
}

/// A value with everything replaced, also in what is put in. In a value that has any `%(name)s`,
/// `%%` is one percent sign.
pub(super) fn replaced(ini: &Ini, section: &str, value: &str) -> Result<String, ReplaceError> {
    let mut replacer = Replacer {
        ini,
        section,
        left: REPLACED_MAX,
        text: String::new(),
    };

    replacer.put(value, DEPTH_MAX)?;
    Ok(replacer.text)
}

struct Replacer<'a> {
    ini: &'a Ini,
    section: &'a str,
    /// How many options may still be put in.
    left: usize,
    text: String,
}

impl Replacer<'_> {
    fn put(&mut self, value: &str, depth: usize) -> Result<(), ReplaceError> {
        let mut rest = value;
        // As ConfigParser does: in a value that has none, percent signs mean nothing.
        while value.contains("%(")
            && let Some((before, behind)) = rest.split_once('%')
        {
            self.text.push_str(before);
            rest = match behind.strip_prefix('%') {
                Some(behind) => {
                    self.text.push('%');
                    behind
                }
                None => self.put_option(behind, depth)?,
            };
        }

        self.text.push_str(rest);
        if self.text.len() > VALUE_MAX {
            return Err(ReplaceError::TooLong);
        }

        Ok(())
    }

    /// Puts in the option whose `(name)s` a text begins with; returns the text behind it.
    fn put_option<'t>(&mut self, text: &'t str, depth: usize) -> Result<&'t str, ReplaceError> {
        let named = text.strip_prefix('(');
        let Some((name, behind)) = named.and_then(|text| text.split_once(")s")) else {
            return Err(ReplaceError::LonePercent);
        };

        let Some(value) = self.ini.raw(self.section, &name.to_lowercase()) else {
            return Err(ReplaceError::UnknownName(short(name)));
        };

        self.count(depth)?;
        self.put(&value.text, depth - 1)?;
        Ok(behind)
    }

    /// Counts one more option that is put in. The depth alone would not do: each may name the next one many times.
    fn count(&mut self, depth: usize) -> Result<(), ReplaceError> {
        if depth == 0 {
            return Err(ReplaceError::Circle);
        }

        self.left = self.left.checked_sub(1).ok_or(ReplaceError::TooMany)?;
        Ok(())
    }
}
