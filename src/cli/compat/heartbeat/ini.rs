//! INI files by the rules of Python 2's ConfigParser, which `heartbeat` read its file with.
//!
//! Names of options are in any case; `=` or `:` ends them; a line that begins with space continues
//! the value before; `[DEFAULT]` gives what other sections leave out; `%(name)s` is another option
//! of the section. A line is a comment when `#` or `;` comes first, and what follows ` ;` in a
//! value is one.
//!
//! Rule: all faults are found in one run, each with its line.

mod lines;
mod replace;

use std::collections::HashMap;

use crate::names::sort::sort_by_key;
use crate::names::text::{beginning, without_userinfo};
use lines::IniReader;
use replace::{ReplaceError, replaced};

/// A file that was read.
#[derive(Debug, Default)]
pub(super) struct Ini {
    /// The options of `[DEFAULT]`.
    defaults: HashMap<String, RawValue>,
    sections: Vec<IniSection>,
}

#[derive(Debug)]
struct IniSection {
    name: String,
    /// Where it begins.
    line: usize,
    options: HashMap<String, RawValue>,
}

/// A value as it was written.
#[derive(Debug, Clone)]
struct RawValue {
    text: String,
    line: usize,
}

/// A value with everything replaced, and the line of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IniValue {
    pub(super) text: String,
    pub(super) line: usize,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IniFault {
    pub(super) line: usize,
    pub(super) text: String,
}

fn fault(line: usize, text: impl Into<String>) -> IniFault {
    IniFault {
        line,
        text: text.into(),
    }
}

impl Ini {
    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> (Self, Vec<IniFault>) {
        let mut reader = IniReader::default();
        for (number, line) in (1..).zip(text.lines()) {
            reader.read_line(number, line);
        }

        (reader.ini, reader.faults)
    }

    /// The names of the sections with their lines, without `[DEFAULT]`, in the order of the file.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, usize)> {
        let sections = self.sections.iter();
        sections.map(|section| (section.name.as_str(), section.line))
    }

    /// An option of a section, else of `[DEFAULT]`, with everything replaced.
    pub(super) fn get(&self, section: &str, name: &str) -> Result<Option<IniValue>, IniFault> {
        let Some(raw) = self.raw(section, name) else {
            return Ok(None);
        };

        let line = raw.line;
        match self.value(section, &raw.text) {
            Ok(text) => Ok(Some(IniValue { text, line })),
            Err(what) => Err(fault(line, format!("[{section}] {name}: {what}"))),
        }
    }

    /// A value with everything replaced.
    fn value(&self, section: &str, written: &str) -> Result<String, ReplaceError> {
        // What the file's bytes became where they were no UTF-8.
        if written.contains(char::REPLACEMENT_CHARACTER) {
            return Err(ReplaceError::NotUtf8);
        }

        replaced(self, section, written)
    }

    fn raw(&self, section: &str, name: &str) -> Option<&RawValue> {
        // Also for a section that there is not: `[DEFAULT]` gives what any leaves out.
        let own = self.find(section).and_then(|found| found.options.get(name));
        own.or_else(|| self.defaults.get(name))
    }

    fn find(&self, name: &str) -> Option<&IniSection> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// The names of the options that stand in a section itself, in the order of the file.
    pub(super) fn own_names(&self, section: &str) -> Vec<&str> {
        let Some(section) = self.find(section) else {
            return Vec::new();
        };

        let mut options: Vec<_> = section.options.iter().collect();
        // A map has no order of its own; the lines have.
        sort_by_key(&mut options, |(name, raw)| (raw.line, *name));
        options.into_iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Most characters of a text in a message.
const SHOWN_MAX: usize = 60;

/// The beginning of a text, fit for a message.
pub(super) fn short(text: &str) -> String {
    beginning(&without_userinfo(text), SHOWN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Ini {
        let (ini, faults) = Ini::parse(text);
        assert_eq!(faults, []);
        ini
    }

    fn value(ini: &Ini, section: &str, name: &str) -> Option<String> {
        ini.get(section, name).unwrap().map(|found| found.text)
    }

    #[test]
    fn sections_options_defaults_and_comments_are_pythons() {
        let ini = read(
            "# c\n; c\nREM c\n[a]\nKey = v ; c\nother: x;y\nurl = http://h ; a ; b\nempty =\nquoted = \"\"\n[DEFAULT]\nport = 8080\nkey=d\n[b]\n[a]\nmore = 1\n",
        );
        for (section, name, expected) in [
            ("a", "key", Some("v")),
            ("a", "other", Some("x;y")),
            ("a", "url", Some("http://h")),
            ("a", "empty", Some("")),
            ("a", "quoted", Some("")),
            ("a", "more", Some("1")),
            ("a", "port", Some("8080")),
            ("b", "key", Some("d")),
            ("b", "none", None),
        ] {
            assert_eq!(
                value(&ini, section, name).as_deref(),
                expected,
                "[{section}] {name}"
            );
        }
        assert_eq!(ini.sections().collect::<Vec<_>>(), [("a", 4), ("b", 13)]);
        assert_eq!(
            ini.own_names("a"),
            ["key", "other", "url", "empty", "quoted", "more"]
        );
    }

    #[test]
    fn values_go_on_in_lines_that_begin_with_space() {
        let ini = read("[a]\nx = 1\n  2\n # no\n\t3 = 4\ny = 5\n");
        assert_eq!(value(&ini, "a", "x").as_deref(), Some("1\n2\n3 = 4"));
        assert_eq!(value(&ini, "a", "y").as_deref(), Some("5"));
    }

    #[test]
    fn other_options_are_put_in() {
        let ini = read(
            "[DEFAULT]\nbase = /srv\n[a]\ndir = %(BASE)s/x\nfile = %(dir)s/y-100%%\nplain = 100%% 5%\n",
        );
        assert_eq!(value(&ini, "a", "file").as_deref(), Some("/srv/x/y-100%"));
        assert_eq!(value(&ini, "a", "plain").as_deref(), Some("100%% 5%"));
        let bad = read(
            "[a]\nloop = %(loop)s\nnone = %(zip)s\nodd = %(loop\nbig = %(b1)s%(b1)s\nb1 = x%(big)s\n",
        );
        for (name, says) in [
            ("loop", "leads back to itself"),
            ("none", "names an option that is not there"),
            ("odd", "not %(name)s"),
            ("big", "leads back to itself"),
        ] {
            let fault = bad.get("a", name).unwrap_err();
            assert!(fault.text.contains(says), "{name}: {fault:?}");
        }
    }

    #[test]
    fn lines_that_cannot_be_are_all_told() {
        let (_, faults) = Ini::parse("x = 1\n[a]\nnonsense\n= 5\n");
        assert_eq!(
            faults,
            [
                fault(1, "stands before the first [section]; put it into one"),
                fault(3, "'nonsense' is neither [section] nor name = value"),
                fault(4, "'= 5' is neither [section] nor name = value"),
            ]
        );
    }
}
