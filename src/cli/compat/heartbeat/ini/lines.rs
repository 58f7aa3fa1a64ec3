//! From the lines of a file to sections and options.

use std::collections::HashMap;

use super::{Ini, IniFault, IniSection, RawValue, fault, short};

/// Where the next options belong.
#[derive(Debug, Clone, Copy)]
enum CurrentSection {
    None,
    Default,
    /// A section, by its position.
    Named(usize),
}

pub(super) struct IniReader {
    pub(super) ini: Ini,
    pub(super) faults: Vec<IniFault>,
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
    pub(super) fn read_line(&mut self, number: usize, line: &str) {
        let bare = line.trim();
        let is_indented = line.starts_with(char::is_whitespace);
        if says_nothing(line) {
            return;
        }

        // First, as in ConfigParser: an indented `[name]` or `name = value` belongs to the value before.
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
        // A section that stands there twice is one, as in ConfigParser.
        let known = sections.iter().position(|section| section.name == name);
        let at = known.unwrap_or(sections.len());
        if at == sections.len() {
            sections.push(IniSection {
                name: name.to_owned(),
                line,
                options: HashMap::new(),
            });
        }

        self.section = CurrentSection::Named(at);
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

        // In place of an earlier one of this name, as in ConfigParser.
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

fn says_nothing(line: &str) -> bool {
    let bare = line.trim();
    bare.is_empty() || bare.starts_with(['#', ';']) || is_remark(line)
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
    // Whichever of the two comes first; the other may be part of the value, as in a URL.
    let (name, value) = line.split_once(['=', ':'])?;
    let name = name.trim();
    if name.is_empty() {
        return None;
    }

    let value = match without_comment(value.trim()) {
        // So an empty value is written for ConfigParser, which takes all other quotes as they are.
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
