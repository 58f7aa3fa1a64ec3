//! INI files by the rules of Python 2's ConfigParser, which `heartbeat` read its file with.
//!
//! Names of options are in any case; `=` or `:` ends them; a line that begins with space continues
//! the value before; `[DEFAULT]` gives what other sections leave out; `%(name)s` is another option
//! of the section. A line is a comment when `#` or `;` comes first, and what follows ` ;` in a
//! value is one.
//!
//! Rule: all faults are found in one run, each with its line.

use std::collections::HashMap;
use std::fmt;

use crate::names::text::beginning;

/// How deep `%(name)s` may lead.
const DEPTH_MAX: usize = 10;

/// How often options may be put into one value.
const REPLACED_MAX: usize = 1000;

/// Longest value once everything is replaced, in bytes.
const VALUE_MAX: usize = 64 << 10;

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

/// Why a value with `%(name)s` means nothing, to follow its name in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ReplaceError {
    LonePercent,
    UnknownName(String),
    Circle,
    TooMany,
    TooLong,
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
        let mut replacer = Replacer {
            ini: self,
            section,
            left: REPLACED_MAX,
            text: String::new(),
        };
        match replacer.put(&raw.text, DEPTH_MAX) {
            Ok(()) => Ok(Some(IniValue {
                text: replacer.text,
                line,
            })),
            Err(what) => Err(fault(line, format!("[{section}] {name}: {what}"))),
        }
    }

    fn raw(&self, section: &str, name: &str) -> Option<&RawValue> {
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
        options.sort_unstable_by_key(|(name, raw)| (raw.line, *name));
        options.into_iter().map(|(name, _)| name.as_str()).collect()
    }
}

/// Where the next options belong.
#[derive(Debug, Clone, Copy)]
enum CurrentSection {
    None,
    Default,
    /// A section, by its position.
    Named(usize),
}

struct IniReader {
    ini: Ini,
    faults: Vec<IniFault>,
    section: CurrentSection,
    /// The name of the option that a line that begins with space continues.
    last: Option<String>,
}

impl Default for IniReader {
    fn default() -> Self {
        Self {
            ini: Ini::default(),
            faults: Vec::new(),
            section: CurrentSection::None,
            last: None,
        }
    }
}

impl IniReader {
    fn read_line(&mut self, number: usize, line: &str) {
        let bare = line.trim();
        let is_indented = line.starts_with(char::is_whitespace);
        if bare.is_empty() || bare.starts_with(['#', ';']) || is_remark(line) {
            return;
        }
        if is_indented && self.last.is_some() {
            self.continue_value(bare);
        } else if let Some(name) = section_name(bare) {
            self.begin_section(name, number);
        } else {
            self.read_option(number, bare);
        }
    }

    fn continue_value(&mut self, text: &str) {
        let Some(name) = self.last.clone() else {
            return;
        };
        let options = self.options();
        if let Some(value) = options.and_then(|options| options.get_mut(&name)) {
            value.text.push('\n');
            value.text.push_str(text);
        }
    }

    fn begin_section(&mut self, name: &str, line: usize) {
        self.last = None;
        if name == "DEFAULT" {
            self.section = CurrentSection::Default;
            return;
        }
        let sections = &mut self.ini.sections;
        let known = sections.iter().position(|section| section.name == name);
        if known.is_none() {
            sections.push(IniSection {
                name: name.to_owned(),
                line,
                options: HashMap::new(),
            });
        }
        self.section = CurrentSection::Named(known.unwrap_or(sections.len() - 1));
    }

    fn read_option(&mut self, line: usize, text: &str) {
        let Some((name, value)) = option(text) else {
            let text = short(text);
            let what = format!("'{text}' is neither [section] nor name = value");
            return self.faults.push(fault(line, what));
        };
        let Some(options) = self.options() else {
            let what = "stands before the first [section]; put it into one";
            return self.faults.push(fault(line, what));
        };
        options.insert(name.clone(), RawValue { text: value, line });
        self.last = Some(name);
    }

    /// The options of the section that is read; none before the first one.
    fn options(&mut self) -> Option<&mut HashMap<String, RawValue>> {
        match self.section {
            CurrentSection::None => None,
            CurrentSection::Default => Some(&mut self.ini.defaults),
            CurrentSection::Named(at) => {
                let section = self.ini.sections.get_mut(at)?;
                Some(&mut section.options)
            }
        }
    }
}

/// `REM`, as in batch files.
fn is_remark(line: &str) -> bool {
    let end = line.find(char::is_whitespace).unwrap_or(line.len());
    line[..end].eq_ignore_ascii_case("rem")
}

fn section_name(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    Some(name)
}

/// Name and value of a line.
fn option(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(['=', ':'])?;
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let value = match without_comment(value.trim()) {
        "\"\"" => "",
        value => value,
    };
    Some((name.to_lowercase(), value.to_owned()))
}

/// Only the first semicolon counts, and only behind space.
fn without_comment(value: &str) -> &str {
    match value.split_once(';') {
        Some((before, _)) if before.ends_with(char::is_whitespace) => before.trim_end(),
        _ => value,
    }
}

/// Replaces `%(name)s`, also in what is put in. In a value that has any, `%%` is one percent sign.
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
        if depth == 0 {
            return Err(ReplaceError::Circle);
        }
        if self.left == 0 {
            return Err(ReplaceError::TooMany);
        }
        self.left -= 1;
        self.put(&value.text, depth - 1)?;
        Ok(behind)
    }
}

/// Most characters of a text in a message.
const SHOWN_MAX: usize = 60;

/// The beginning of a text, fit for a message.
pub(super) fn short(text: &str) -> String {
    beginning(text, SHOWN_MAX)
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
