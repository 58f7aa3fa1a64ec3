//! INI files by the rules of Python 2's ConfigParser, which `heartbeat` read its file with.
//!
//! Names of options are in any case; `=` or `:` ends them; a line that begins with space goes on with the value before;
//! `[DEFAULT]` gives what other sections leave out; `%(name)s` is another option of the section. A line is a comment
//! when `#` or `;` comes first, and what follows ` ;` in a value is one.
//!
//! Rule: all faults are found in one run, each with its line.

use std::collections::HashMap;

/// How deep `%(name)s` may lead.
const DEPTH_MAX: usize = 10;

/// How often options may be put into one value.
const REPLACED_MAX: usize = 1000;

/// Longest value once everything is replaced, in bytes.
const VALUE_MAX: usize = 64 << 10;

/// A file that was read.
#[derive(Debug, Default)]
pub(super) struct Ini {
    defaults: Options,
    sections: Vec<(String, Section)>,
}

/// A section, and where it begins.
#[derive(Debug, Default)]
struct Section {
    line: usize,
    options: Options,
}

type Options = HashMap<String, Raw>;

/// A value as it was written.
#[derive(Debug, Clone)]
struct Raw {
    text: String,
    line: usize,
}

/// A value, and the line of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub text: String,
    pub line: usize,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub line: usize,
    pub text: String,
}

fn fault(line: usize, text: impl Into<String>) -> Fault {
    Fault {
        line,
        text: text.into(),
    }
}

impl Ini {
    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> (Self, Vec<Fault>) {
        let mut ini = Self::default();
        let mut faults = Vec::new();
        // Which section is read: none yet, [DEFAULT], or one by its place.
        let mut current: Option<Option<usize>> = None;
        let mut last: Option<String> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let bare = line.trim();
            if bare.is_empty() || bare.starts_with(['#', ';']) || is_remark(line) {
                continue;
            }
            if line.starts_with(char::is_whitespace)
                && let (Some(section), Some(name)) = (current, &last)
            {
                if let Some(value) = ini.options(section).get_mut(name) {
                    value.text.push('\n');
                    value.text.push_str(bare);
                }
                continue;
            }
            if let Some(name) = bare
                .strip_prefix('[')
                .and_then(|l| l.split_once(']'))
                .map(|(name, _)| name)
            {
                current = Some(ini.section(name, number));
                last = None;
                continue;
            }
            match (current, option(bare)) {
                (_, None) => {
                    faults.push(fault(
                        number,
                        format!("'{}' is neither [section] nor name = value", short(bare)),
                    ));
                }
                (None, Some(_)) => faults.push(fault(
                    number,
                    "stands before the first [section]; put it into one",
                )),
                (Some(section), Some((name, value))) => {
                    ini.options(section).insert(
                        name.clone(),
                        Raw {
                            text: value,
                            line: number,
                        },
                    );
                    last = Some(name);
                }
            }
        }
        (ini, faults)
    }

    fn section(&mut self, name: &str, line: usize) -> Option<usize> {
        if name == "DEFAULT" {
            return None;
        }
        let known = self.sections.iter().position(|(n, _)| n == name);
        Some(known.unwrap_or_else(|| {
            self.sections.push((
                name.to_owned(),
                Section {
                    line,
                    options: Options::new(),
                },
            ));
            self.sections.len() - 1
        }))
    }

    fn options(&mut self, section: Option<usize>) -> &mut Options {
        match section.and_then(|at| self.sections.get_mut(at)) {
            Some((_, section)) => &mut section.options,
            None => &mut self.defaults,
        }
    }

    /// The names of the sections with their lines, but for `[DEFAULT]`, in the order of the file.
    pub(super) fn sections(&self) -> impl Iterator<Item = (&str, usize)> {
        self.sections
            .iter()
            .map(|(name, section)| (name.as_str(), section.line))
    }

    fn find(&self, section: &str) -> Option<&Section> {
        self.sections
            .iter()
            .find(|(name, _)| name == section)
            .map(|(_, section)| section)
    }

    /// An option of a section, else of `[DEFAULT]`, with everything replaced.
    pub(super) fn get(&self, section: &str, name: &str) -> Result<Option<Found>, Fault> {
        let own = self.find(section).map(|s| &s.options);
        let Some(raw) = own
            .and_then(|o| o.get(name))
            .or_else(|| self.defaults.get(name))
        else {
            return Ok(None);
        };
        let lookup = |name: &str| {
            own.and_then(|o| o.get(name))
                .or_else(|| self.defaults.get(name))
        };
        let text = replaced(raw, &lookup)
            .map_err(|what| fault(raw.line, format!("[{section}] {name}: {what}")))?;
        Ok(Some(Found {
            text,
            line: raw.line,
        }))
    }

    /// The names of the options that stand in a section itself, in the order of the file.
    pub(super) fn own_names(&self, section: &str) -> Vec<&str> {
        let options = self.find(section).map(|s| &s.options);
        let mut names: Vec<_> = options
            .into_iter()
            .flatten()
            .map(|(name, raw)| (raw.line, name.as_str()))
            .collect();
        names.sort_unstable();
        names.into_iter().map(|(_, name)| name).collect()
    }
}

/// `REM`, as in batch files.
fn is_remark(line: &str) -> bool {
    line.split_whitespace()
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("rem"))
        && !line.starts_with(char::is_whitespace)
}

/// Name and value of a line.
fn option(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(['=', ':'])?;
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    let mut value = value.trim();
    // Only the first semicolon counts, and only behind space.
    if let Some(at) = value.find(';')
        && value[..at].ends_with(char::is_whitespace)
    {
        value = value[..at].trim_end();
    }
    let value = if value == "\"\"" { "" } else { value };
    Some((name.to_lowercase(), value.to_owned()))
}

/// Replaces `%(name)s`, also in what is put in. In a value that has any, `%%` is one percent sign.
fn replaced<'a>(raw: &'a Raw, lookup: &dyn Fn(&str) -> Option<&'a Raw>) -> Result<String, String> {
    let mut out = String::new();
    put(
        &raw.text,
        lookup,
        DEPTH_MAX,
        &mut { REPLACED_MAX },
        &mut out,
    )?;
    Ok(out)
}

fn put<'a>(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<&'a Raw>,
    depth: usize,
    left: &mut usize,
    out: &mut String,
) -> Result<(), String> {
    let mut rest = text;
    while text.contains("%(")
        && let Some((before, after)) = rest.split_once('%')
    {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let Some((name, after)) = after.strip_prefix('(').and_then(|a| a.split_once(")s")) else {
            return Err("has a '%' that is not %(name)s; write %% for the sign itself".into());
        };
        let Some(value) = lookup(&name.to_lowercase()) else {
            return Err(format!(
                "%({})s names an option that is not there",
                short(name)
            ));
        };
        if depth == 0 {
            return Err("%(name)s leads back to itself; write the value out".into());
        }
        *left = left
            .checked_sub(1)
            .ok_or("names too many other options; write it out")?;
        put(&value.text, lookup, depth - 1, left, out)?;
        rest = after;
    }
    out.push_str(rest);
    if out.len() > VALUE_MAX {
        Err("gets longer than 64 KiB by what it names; write it out".into())
    } else {
        Ok(())
    }
}

fn short(text: &str) -> String {
    text.chars()
        .take(40)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
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
        ini.get(section, name).unwrap().map(|f| f.text)
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
