//! What an applet is: one row of the table, and one call of it.

use argh::{CommandInfoWithArgs, FlagInfo, FromArgs};

use crate::cli::failure::Failure;
use crate::cli::output::complain;

/// One row of [`super::APPLETS`].
pub struct Applet {
    /// The subcommand of `hacheck`.
    pub name: &'static str,
    /// The name of a link to the binary that runs this applet, if it has one.
    pub alias: Option<&'static str>,
    /// The arguments, as they stand behind the name in a usage line.
    pub usage: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// The options, for the command line, the help text, the man pages and the completion.
    pub info: fn() -> CommandInfoWithArgs,
    /// Whether the applet uses an option, by its long name. The others are accepted, since the
    /// replaced tools accept them, but not shown.
    pub(crate) uses: fn(&str) -> bool,
    /// Does the work; returns the exit code.
    pub(crate) run: fn(&Call) -> Result<u8, Failure>,
}

impl Applet {
    /// Whether a word names this applet, as a subcommand or as a link.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        self.name == word || self.alias == Some(word)
    }

    /// The options that are shown, without `--help` and `--version`, which every applet has.
    pub fn options(&self) -> impl Iterator<Item = &'static FlagInfo<'static>> {
        let flags = (self.info)().flags;
        flags.iter().filter(|flag| self.shows(flag))
    }

    fn shows(&self, flag: &FlagInfo<'_>) -> bool {
        !flag.hidden && flag.long != "--help" && (self.uses)(flag.long)
    }

    /// Examples, as one would type them. Applets that share their options also share a list.
    pub fn examples(&self) -> impl Iterator<Item = &'static str> {
        let examples = (self.info)().examples.iter().copied();
        examples.filter(|example| self.is_own_example(example))
    }

    fn is_own_example(&self, example: &str) -> bool {
        match self.alias {
            Some(alias) => first_word(example) == alias,
            None => true,
        }
    }

    /// What else there is to know about the arguments.
    pub fn notes(&self) -> impl Iterator<Item = &'static str> {
        let notes = (self.info)().notes.iter().copied();
        notes.filter(|note| self.usage.contains(first_word(note)))
    }
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

/// One call of an applet.
pub(crate) struct Call {
    /// How the user calls it: `hadown`, or `hacheck down`.
    pub(crate) program: String,
    /// The arguments in the one spelling that argh takes: see [`super::args::argv`].
    pub(crate) args: Vec<String>,
}

impl Call {
    /// The arguments as the applet's own type.
    pub(crate) fn parse<T: FromArgs>(&self) -> Result<T, Failure> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        match T::from_args(&[&self.program], &args) {
            Ok(parsed) => Ok(parsed),
            // Only errors come here: `--help` has been answered before.
            Err(early_exit) => Err(Failure::usage(early_exit.output.trim())),
        }
    }

    /// Tells the user on standard error how it goes.
    pub(crate) fn say(&self, text: &str) {
        complain(&format!("{}: {text}", self.program));
    }

    /// Tells the user on standard error what is not a failure.
    pub(crate) fn note(&self, text: &str) {
        complain(&format!("{}: note: {text}", self.program));
    }

    pub(crate) fn note_all(&self, texts: &[String]) {
        for text in texts {
            self.note(text);
        }
    }
}
