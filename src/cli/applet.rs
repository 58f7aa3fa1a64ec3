//! What an applet is: one row of the table, and one call of it.

use std::io::Write as _;

use argh::{CommandInfoWithArgs, FlagInfo, FromArgs};

use crate::cli::failure::Failure;

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
    /// The options, for the normaliser, the help text, the man pages and the completion.
    pub info: fn() -> CommandInfoWithArgs,
    /// Whether an option, by its long name, has a use: those of the originals that have none are taken, not shown.
    pub(crate) uses: fn(&str) -> bool,
    /// Does the work.
    pub(crate) run: fn(&Call) -> Result<u8, Failure>,
}

impl Applet {
    /// The options that are shown, but for `--help` and `--version`, which every applet has.
    pub fn options(&self) -> impl Iterator<Item = &'static FlagInfo<'static>> {
        let shown = |f: &&FlagInfo<'_>| !f.hidden && f.long != "--help" && (self.uses)(f.long);
        (self.info)().flags.iter().filter(shown)
    }

    /// Examples, as one would type them. Names that share their options share a list, too.
    pub fn examples(&self) -> impl Iterator<Item = &'static str> {
        let is_own = |e: &&str| {
            self.alias
                .is_none_or(|alias| e.split(' ').next() == Some(alias))
        };
        (self.info)().examples.iter().copied().filter(is_own)
    }

    /// What else is to be known of the arguments.
    pub fn notes(&self) -> impl Iterator<Item = &'static str> {
        let usage = self.usage;
        let is_own = move |note: &&str| {
            note.split(' ')
                .next()
                .is_some_and(|about| usage.contains(about))
        };
        (self.info)().notes.iter().copied().filter(is_own)
    }
}

/// One call of an applet: who was called, and with what.
pub(crate) struct Call {
    /// How the user calls this applet: `hadown`, or `hacheck down`.
    pub(crate) program: String,
    /// The arguments in the one spelling that argh takes: see [`super::args::argv`].
    pub(crate) args: Vec<String>,
}

impl Call {
    /// The arguments as the applet's type.
    pub(crate) fn parse<T: FromArgs>(&self) -> Result<T, Failure> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        T::from_args(&[&self.program], &args).map_err(|exit| Failure::usage(exit.output.trim()))
    }

    /// Tells the user something that is no failure, on standard error.
    pub(crate) fn note(&self, text: &str) {
        // Where standard error is closed, nobody wants to know.
        let _ = writeln!(std::io::stderr(), "{}: note: {text}", self.program);
    }
}
