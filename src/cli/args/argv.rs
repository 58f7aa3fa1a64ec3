//! From what people type to what argh takes.
//!
//! argh knows only `--option value` and `-o value`; the originals' users also type `--option=value`, `-p80`, `-vp 80`
//! and `--exp 5`. The flags come from argh itself, so that no option stands in two places.
//!
//! Rules: what follows an option that takes a value is its value, whatever it looks like. `--` ends the options. The last
//! of a repeated option counts, as in the originals, unless it is one to be repeated. `-h`, `--help` and `--version` win
//! over every mistake around them. An option of [`OPTIONAL`] takes a value behind `=` only. The user's own `--` is passed
//! on to an applet that takes a command behind it.

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use crate::names::nearest::nearest;

/// Options whose value may be left out, and what it is then.
pub(crate) const OPTIONAL: &[(&str, &str)] = &[("--wait", "seen")];

/// The name of the positional arguments that hold a command behind a `--`.
const COMMAND: &str = "command";

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// The help text.
    Help,
    /// The version.
    Version,
    /// Work; options in argh's spelling, then `--`, then all else.
    Args(Vec<String>),
}

/// Reads a command line with the flags of an applet.
///
/// # Errors
/// A sentence that names the option that is wrong, and what is near it.
pub(crate) fn read(info: &CommandInfoWithArgs, args: &[String]) -> Result<Read, String> {
    let mut reader = Reader {
        flags: info.flags,
        rest: args,
        asked: None,
        found: Vec::new(),
    };
    let mut plain = Vec::new();
    let mut error = None;
    while let Some(arg) = reader.next() {
        let step = match arg.strip_prefix('-') {
            Some("-") => {
                if info.positionals.iter().any(|p| p.name == COMMAND) {
                    plain.push(arg.clone());
                }
                plain.extend_from_slice(reader.rest);
                break;
            }
            Some("") | None => {
                plain.push(arg.clone());
                Ok(())
            }
            Some(rest) => match rest.strip_prefix('-') {
                Some(long) => reader.long(long),
                None => reader.cluster(rest),
            },
        };
        if let Err(e) = step {
            error.get_or_insert(e);
        }
    }
    match (reader.asked.take(), error) {
        (Some(asked), _) => Ok(asked),
        (None, Some(e)) => Err(e),
        (None, None) => Ok(Read::Args(reader.spelled_out(plain))),
    }
}

struct Reader<'a> {
    flags: &'static [FlagInfo<'static>],
    rest: &'a [String],
    asked: Option<Read>,
    found: Vec<(&'static FlagInfo<'static>, Option<&'a str>)>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a String> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// `--name`, `--name=value`, or the beginning of a name.
    fn long(&mut self, text: &'a str) -> Result<(), String> {
        let (name, value) = text
            .split_once('=')
            .map_or((text, None), |(name, value)| (name, Some(value)));
        let name = self.full_name(name)?;
        match (name, value) {
            ("--help" | "--version", Some(_)) => Err(format!("option {name} takes no value")),
            ("--help", None) => self.ask(Read::Help),
            ("--version", None) => self.ask(Read::Version),
            _ => match self.flags.iter().find(|f| f.long == name) {
                Some(flag) => self.take(flag, name, value),
                None => Err(format!("unknown option {name}")),
            },
        }
    }

    /// `-v`, `-p80`, `-vp80`, `-vp` with the value behind it; `text` is without the dash.
    fn cluster(&mut self, text: &'a str) -> Result<(), String> {
        if !self.flags.iter().any(|f| f.short.is_some()) {
            // Go's programs have no short options, and take long ones behind one dash too.
            return if text == "v" {
                self.ask(Read::Version)
            } else {
                self.long(text)
            };
        }
        for (at, c) in text.char_indices() {
            let Some(flag) = self.flags.iter().find(|f| f.short == Some(c)) else {
                match c {
                    'h' => self.ask(Read::Help)?,
                    _ => return Err(self.unknown_short(c, text)),
                }
                continue;
            };
            let value = Some(&text[at + c.len_utf8()..]).filter(|v| !v.is_empty());
            if takes_value(flag) {
                return self.take(flag, &format!("-{c}"), value);
            }
            self.found.push((flag, None));
        }
        Ok(())
    }

    fn take(
        &mut self,
        flag: &'static FlagInfo,
        typed: &str,
        value: Option<&'a str>,
    ) -> Result<(), String> {
        let value = match (takes_value(flag), value) {
            (false, Some(_)) => return Err(format!("option {typed} takes no value")),
            (false, None) => None,
            (true, Some(value)) => Some(value),
            (true, None) if left_out(flag).is_some() => left_out(flag),
            (true, None) => Some(
                self.next()
                    .ok_or_else(|| format!("option {typed} needs a value"))?
                    .as_str(),
            ),
        };
        self.found.push((flag, value));
        Ok(())
    }

    fn ask(&mut self, what: Read) -> Result<(), String> {
        self.asked.get_or_insert(what);
        Ok(())
    }

    fn longs(&self) -> impl Iterator<Item = &'static str> + Clone {
        let flags = self.flags;
        flags
            .iter()
            .map(|f| f.long)
            .filter(|l| *l != "--help")
            .chain(["--help", "--version"])
    }

    /// The one long option that a text names or begins.
    fn full_name(&self, name: &str) -> Result<&'static str, String> {
        let typed = format!("--{name}");
        let begun: Vec<_> = self
            .longs()
            .filter(|l| l.starts_with(&typed) && !name.is_empty())
            .collect();
        match begun.as_slice() {
            [one] => Ok(one),
            several => match several.iter().find(|l| **l == typed) {
                Some(exact) => Ok(exact),
                None if several.is_empty() => Err(self.unknown(&typed, &typed)),
                None => Err(format!(
                    "option {typed} is ambiguous: {}",
                    several.join(", ")
                )),
            },
        }
    }

    fn unknown(&self, shown: &str, near_to: &str) -> String {
        match nearest(near_to, self.longs()) {
            Some(near) => format!("unknown option {shown}; did you mean {near}?"),
            None => format!("unknown option {shown}; see --help"),
        }
    }

    fn unknown_short(&self, c: char, text: &str) -> String {
        let swapped = if c.is_uppercase() {
            c.to_ascii_lowercase()
        } else {
            c.to_ascii_uppercase()
        };
        match self.flags.iter().any(|f| f.short == Some(swapped)) {
            true => format!("unknown option -{c}; did you mean -{swapped}?"),
            // `-until 18:00`: two dashes were meant.
            false => self.unknown(&format!("-{c}"), &format!("--{text}")),
        }
    }

    fn spelled_out(&self, plain: Vec<String>) -> Vec<String> {
        let mut out = Vec::new();
        for (i, (flag, value)) in self.found.iter().enumerate() {
            let repeated = self.found[i + 1..]
                .iter()
                .any(|(later, _)| later.long == flag.long);
            if !repeated || matches!(flag.optionality, Optionality::Repeating) {
                out.push(flag.long.to_owned());
                out.extend(value.map(str::to_owned));
            }
        }
        out.push("--".to_owned());
        out.extend(plain);
        out
    }
}

/// The value of an option that is given without one, where that is possible.
pub(crate) fn left_out(flag: &FlagInfo) -> Option<&'static str> {
    OPTIONAL
        .iter()
        .find(|(long, _)| *long == flag.long)
        .map(|(_, value)| *value)
}

fn takes_value(flag: &FlagInfo) -> bool {
    matches!(flag.kind, FlagInfoKind::Option { .. })
}

#[cfg(test)]
mod tests;
