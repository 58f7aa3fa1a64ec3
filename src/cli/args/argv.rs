//! From what people type to what argh takes.
//!
//! argh knows only `--option value` and `-o value`. Users of the replaced tools also type
//! `--option=value`, `-p80`, `-vp 80` and `--exp 5`. The flags come from argh itself, so that no
//! option is declared twice.
//!
//! Rules: what follows an option that takes a value is its value, whatever it looks like. `--` ends
//! the options. The last of a repeated option counts, as in the replaced tools, unless it may be
//! repeated. `-h`, `--help`, `-V` and `--version` win over every mistake around them. An option of
//! [`OPTIONAL`] takes a value behind `=` only. The user's own `--` is passed on to an applet that
//! takes a command behind it.

use std::fmt;

use argh::{CommandInfoWithArgs, FlagInfo, FlagInfoKind, Optionality};

use crate::names::nearest::nearest;

/// Options whose value may be left out, and the value that they have then.
const OPTIONAL: &[(&str, &str)] = &[("--wait", "seen"), ("--singleflight", "true")];

/// The long options of the replaced tools, whose abbreviations stay what they were there, whatever was added.
const REPLACED: &[&str] = &[
    "--action",
    "--bind-address",
    "--config-file",
    "--expiration",
    "--help",
    "--num-procs",
    "--port",
    "--reason",
    "--service-host",
    "--service-port",
    "--spool-root",
    "--verbose",
];

/// The name of the positional arguments that hold a command behind a `--`.
const COMMAND: &str = "command";

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CommandLine {
    Help,
    Version,
    /// Work; options in argh's spelling, then `--`, then all other words.
    Args(Vec<String>),
}

/// What is wrong with an option, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArgvError {
    Unknown {
        typed: String,
        near: Option<String>,
    },
    /// The beginning of several names.
    Ambiguous {
        typed: String,
        names: String,
    },
    LacksValue(String),
    TakesNoValue(String),
}

impl fmt::Display for ArgvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown {
                typed,
                near: Some(near),
            } => {
                write!(f, "unknown option {typed}; did you mean {near}?")
            }
            Self::Unknown { typed, near: None } => {
                write!(f, "unknown option {typed}; see --help")
            }
            Self::Ambiguous { typed, names } => {
                write!(f, "option {typed} is ambiguous: {names}")
            }
            Self::LacksValue(typed) => write!(f, "option {typed} needs a value"),
            Self::TakesNoValue(typed) => write!(f, "option {typed} takes no value"),
        }
    }
}

/// Reads a command line with the flags of an applet.
pub(crate) fn read(info: &CommandInfoWithArgs, args: &[String]) -> Result<CommandLine, ArgvError> {
    let mut reader = ArgvReader::new(info, args);
    while let Some(word) = reader.next_word() {
        if word == "--" {
            reader.end_options();
        } else if let Err(error) = reader.read_word(word) {
            // Reading goes on, since help wins over a mistake in front of it.
            reader.first_error.get_or_insert(error);
        }
    }

    reader.finish()
}

type Flag = &'static FlagInfo<'static>;

struct ArgvReader<'a> {
    flags: &'static [FlagInfo<'static>],
    /// The applet takes a command behind `--`.
    takes_command: bool,
    rest: &'a [String],
    /// Help or the version, once asked for.
    asked: Option<CommandLine>,
    first_error: Option<ArgvError>,
    options: Vec<(Flag, Option<&'a str>)>,
    others: Vec<String>,
}

impl<'a> ArgvReader<'a> {
    fn new(info: &CommandInfoWithArgs, args: &'a [String]) -> Self {
        let takes_command = info.positionals.iter().any(|p| p.name == COMMAND);
        Self {
            flags: info.flags,
            takes_command,
            rest: args,
            asked: None,
            first_error: None,
            options: Vec::new(),
            others: Vec::new(),
        }
    }

    fn next_word(&mut self) -> Option<&'a str> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    /// All words behind `--` are no options.
    fn end_options(&mut self) {
        if self.takes_command {
            self.others.push("--".to_owned());
        }

        self.others.extend_from_slice(self.rest);
        self.rest = &[];
    }

    fn read_word(&mut self, word: &'a str) -> Result<(), ArgvError> {
        if let Some(long) = word.strip_prefix("--") {
            return self.read_long(long);
        }

        match word.strip_prefix('-') {
            // A dash alone is a name, of standard input by custom.
            Some("") | None => {
                self.others.push(word.to_owned());
                Ok(())
            }
            Some(letters) if self.has_short_options() => self.read_letters(letters),
            // Go's programs have no short options, and take long ones behind one dash too.
            Some("v" | "V") => {
                self.ask(CommandLine::Version);
                Ok(())
            }
            Some(long) => self.read_long(long),
        }
    }

    fn has_short_options(&self) -> bool {
        self.flags.iter().any(|flag| flag.short.is_some())
    }

    /// `--name`, `--name=value`, or the beginning of a name; `text` is without the dashes.
    fn read_long(&mut self, text: &'a str) -> Result<(), ArgvError> {
        let (typed, value) = match text.split_once('=') {
            Some((typed, value)) => (typed, Some(value)),
            None => (text, None),
        };

        let name = self.full_name(typed)?;
        match question(name) {
            Some(_) if value.is_some() => Err(ArgvError::TakesNoValue(name.to_owned())),
            Some(question) => {
                self.ask(question);
                Ok(())
            }
            None => self.read_option(name, value),
        }
    }

    fn read_option(&mut self, name: &str, value: Option<&'a str>) -> Result<(), ArgvError> {
        match self.flags.iter().find(|flag| flag.long == name) {
            Some(flag) => self.take(flag, name, value),
            None => Err(self.unknown(name, name)),
        }
    }

    /// `-v`, `-p80`, `-vp80`, `-vp` with the value behind it; `text` is without the dash.
    fn read_letters(&mut self, text: &'a str) -> Result<(), ArgvError> {
        for (at, letter) in text.char_indices() {
            match self.short_option(letter) {
                // The letters behind it are no options any more.
                Some(flag) if takes_value(flag) => {
                    let behind = &text[at + letter.len_utf8()..];
                    return self.take_letter(flag, letter, behind);
                }
                Some(flag) => self.options.push((flag, None)),
                None if letter == 'h' => self.ask(CommandLine::Help),
                None if letter == 'V' => self.ask(CommandLine::Version),
                None => return Err(self.unknown_letter(letter, text)),
            }
        }

        Ok(())
    }

    fn short_option(&self, letter: char) -> Option<Flag> {
        self.flags.iter().find(|flag| flag.short == Some(letter))
    }

    /// Takes the rest of the word for the value, if there is any.
    fn take_letter(&mut self, flag: Flag, letter: char, rest: &'a str) -> Result<(), ArgvError> {
        let value = if rest.is_empty() { None } else { Some(rest) };
        self.take(flag, &format!("-{letter}"), value)
    }

    fn take(&mut self, flag: Flag, typed: &str, value: Option<&'a str>) -> Result<(), ArgvError> {
        let value = match (value, takes_value(flag)) {
            (Some(_), false) => return Err(ArgvError::TakesNoValue(typed.to_owned())),
            // Whatever it looks like: a reason may begin with a dash.
            (None, true) => Some(self.value_behind(flag, typed)?),
            (value, _) => value,
        };

        self.options.push((flag, value));
        Ok(())
    }

    /// The next word, unless the value may be left out.
    fn value_behind(&mut self, flag: Flag, typed: &str) -> Result<&'a str, ArgvError> {
        if let Some(implied) = implied_value(flag) {
            return Ok(implied);
        }

        match self.next_word() {
            Some(value) => Ok(value),
            None => Err(ArgvError::LacksValue(typed.to_owned())),
        }
    }

    fn ask(&mut self, what: CommandLine) {
        // The first of several questions is answered.
        self.asked.get_or_insert(what);
    }

    fn long_names(&self) -> impl Iterator<Item = &'static str> + Clone {
        let own = self.flags.iter().map(|flag| flag.long);
        own.filter(|name| *name != "--help")
            .chain(["--help", "--version"])
    }

    /// The one long option that a text names or begins.
    fn full_name(&self, name: &str) -> Result<&'static str, ArgvError> {
        let typed = format!("--{name}");
        // A whole name is not ambiguous, though longer ones may begin with it.
        if let Some(exact) = self.long_names().find(|long| *long == typed) {
            return Ok(exact);
        }

        match self.names_beginning(name).as_slice() {
            [one] => Ok(one),
            [] => Err(self.unknown(&typed, &typed)),
            several => one_of(several, typed),
        }
    }

    /// The long names that a text without the dashes begins.
    fn names_beginning(&self, text: &str) -> Vec<&'static str> {
        // Nothing begins every name, and means none.
        if text.is_empty() {
            return Vec::new();
        }

        let typed = format!("--{text}");
        let begun = self.long_names().filter(|name| name.starts_with(&typed));
        begun.collect()
    }

    fn unknown(&self, typed: &str, near_to: &str) -> ArgvError {
        let near = nearest(near_to, self.long_names());
        ArgvError::Unknown {
            typed: typed.to_owned(),
            near: near.map(str::to_owned),
        }
    }

    fn unknown_letter(&self, letter: char, text: &str) -> ArgvError {
        let typed = format!("-{letter}");
        let other_case = swap_case(letter);
        if self.short_option(other_case).is_some() {
            let near = Some(format!("-{other_case}"));
            return ArgvError::Unknown { typed, near };
        }

        // `-until 18:00`: two dashes were meant.
        self.unknown(&typed, &format!("--{text}"))
    }

    fn finish(self) -> Result<CommandLine, ArgvError> {
        if let Some(asked) = self.asked {
            return Ok(asked);
        }

        match self.first_error {
            Some(error) => Err(error),
            None => Ok(CommandLine::Args(self.spelled_out())),
        }
    }

    /// Whether an option counts, by its place: argh refuses one that is given twice.
    fn counts(&self, at: usize) -> bool {
        let (flag, _) = self.options[at];
        is_repeating(flag) || !has_option(&self.options[at + 1..], flag)
    }

    fn spelled_out(self) -> Vec<String> {
        let mut words = Vec::new();
        for (at, (flag, value)) in self.options.iter().enumerate() {
            if self.counts(at) {
                words.push(flag.long.to_owned());
                words.extend(value.map(str::to_owned));
            }
        }

        // Or argh would take a name that begins with a dash for an option.
        words.push("--".to_owned());
        words.extend(self.others);
        words
    }
}

fn is_repeating(flag: Flag) -> bool {
    matches!(flag.optionality, Optionality::Repeating)
}

fn has_option(options: &[(Flag, Option<&str>)], flag: Flag) -> bool {
    options.iter().any(|(other, _)| other.long == flag.long)
}

/// The one that a text means which begins all of these names.
fn one_of(names: &[&'static str], typed: String) -> Result<&'static str, ArgvError> {
    // `--exp` in a script of years ago means what it meant then.
    if let [one] = replaced_among(names).as_slice() {
        return Ok(one);
    }

    let names = names.join(", ");
    Err(ArgvError::Ambiguous { typed, names })
}

fn replaced_among(names: &[&'static str]) -> Vec<&'static str> {
    let replaced = names.iter().copied().filter(|name| REPLACED.contains(name));
    replaced.collect()
}

/// What an option asks for that every applet has.
fn question(name: &str) -> Option<CommandLine> {
    match name {
        "--help" => Some(CommandLine::Help),
        "--version" => Some(CommandLine::Version),
        _ => None,
    }
}

/// The value of an option that is given without one, where that is possible.
pub(crate) fn implied_value(flag: &FlagInfo) -> Option<&'static str> {
    let entry = OPTIONAL.iter().find(|(long, _)| *long == flag.long);
    entry.map(|(_, value)| *value)
}

fn takes_value(flag: &FlagInfo) -> bool {
    matches!(flag.kind, FlagInfoKind::Option { .. })
}

fn swap_case(letter: char) -> char {
    if letter.is_uppercase() {
        letter.to_ascii_lowercase()
    } else {
        letter.to_ascii_uppercase()
    }
}

#[cfg(test)]
mod tests;
