//! The names of the binary: each applet is one file here and one row in [`APPLETS`].
//!
//! Rule: an applet never ends the process. It returns an exit code, 0 yes or done, 1 no or failed, 2 usage, or a
//! [`Failure`]; `main` alone turns those into text and a code. Help and version come before anything that can fail.

mod acted;
mod argv;
mod ask;
mod config;
mod down;
mod downed;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guard;
mod health_checker;
mod healthy;
mod heartbeat;
mod help;
mod install;
mod interrupt;
mod limits;
mod list;
mod output;
mod pollers;
mod probe;
mod progress;
mod reason;
mod roll;
mod serve;
mod show;
mod status;
mod switch;
mod times;
mod up;
mod wait;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use argh::{CommandInfoWithArgs, FlagInfo, FromArgs};

use crate::names::nearest::nearest;

/// Everything that this binary can be called as. Dispatch, help and `hacheck install` read this table.
pub const APPLETS: &[Applet] = &[
    serve::APPLET,
    down::APPLET,
    up::APPLET,
    status::APPLET,
    downed::APPLET,
    list::APPLET,
    roll::APPLET,
    probe::APPLET,
    config::APPLET,
    install::APPLET,
    health_checker::APPLET,
    heartbeat::APPLET,
];

/// Whether an option's value may be left out; where it is not it stands behind `=`.
#[must_use]
pub fn may_lack_value(option: &FlagInfo<'_>) -> bool {
    argv::left_out(option).is_some()
}

/// One row of [`APPLETS`].
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
    uses: fn(&str) -> bool,
    /// Does the work.
    run: fn(&Call) -> Result<u8, Failure>,
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

/// Why an applet could not do its work: the text for standard error, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// 1 for failed, 2 for wrong usage.
    pub code: u8,
    /// One sentence or more that name the subject and the remedy. Inside an applet without the program's name in
    /// front; [`main`] puts it there.
    pub message: String,
}

impl Failure {
    /// The work could not be done: exit code 1.
    fn failed(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: message.into(),
        }
    }

    /// The command line is wrong: exit code 2, and a usage line is shown.
    fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            message: message.into(),
        }
    }
}

/// One call of an applet: who was called, and with what.
struct Call {
    /// How the user calls this applet: `hadown`, or `hacheck down`.
    program: String,
    /// The arguments in the one spelling that argh takes: see [`argv`].
    args: Vec<String>,
}

impl Call {
    /// The arguments as the applet's type.
    fn parse<T: FromArgs>(&self) -> Result<T, Failure> {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        T::from_args(&[&self.program], &args).map_err(|exit| Failure::usage(exit.output.trim()))
    }

    /// Tells the user something that is no failure, on standard error.
    fn note(&self, text: &str) {
        // Where standard error is closed, nobody wants to know.
        let _ = writeln!(std::io::stderr(), "{}: note: {text}", self.program);
    }
}

/// Runs the applet that the arguments name; `args[0]` is the name that the binary was called by.
///
/// # Errors
/// [`Failure`] for `main` to print.
pub fn main(args: &[OsString]) -> Result<u8, Failure> {
    let (called, rest) = args.split_first().map_or((None, args), |(first, rest)| {
        (Path::new(first).file_name(), rest)
    });
    let alias = APPLETS.iter().find(|a| {
        a.alias
            .is_some_and(|alias| called.is_some_and(|c| c == alias))
    });
    let program = alias.and_then(|a| a.alias).unwrap_or("hacheck");
    let rest = texts(rest).map_err(|e| prefixed(program, &e, None))?;
    match alias {
        Some(applet) => run(applet, program.to_owned(), &rest),
        None => subcommand(&rest),
    }
}

/// The arguments of `hacheck` itself.
fn subcommand(args: &[String]) -> Result<u8, Failure> {
    let first = args.first().map(String::as_str);
    match (first, args) {
        (Some("--version"), _) => output::print(help::VERSION).map(|()| 0),
        (Some("help"), [_, name]) if find(name).is_some() => find(name).map_or(Ok(0), |a| {
            output::print(&help::of_applet(a, &program_of(a))).map(|()| 0)
        }),
        (Some("help" | "-h" | "--help"), _) => output::print(&help::of_all()).map(|()| 0),
        // As the originals are started: `hacheck`, `hacheck -c FILE -p PORT`.
        (None, _) => run(&serve::APPLET, "hacheck".to_owned(), args),
        (Some(option), _) if option.starts_with('-') => {
            run(&serve::APPLET, "hacheck".to_owned(), args)
        }
        (Some(name), _) => match find(name) {
            Some(applet) => run(applet, program_of(applet), &args[1..]),
            None => Err(unknown(name)),
        },
    }
}

fn find(name: &str) -> Option<&'static Applet> {
    APPLETS.iter().find(|a| a.name == name)
}

fn program_of(applet: &Applet) -> String {
    format!("hacheck {}", applet.name)
}

fn unknown(name: &str) -> Failure {
    let words = APPLETS
        .iter()
        .flat_map(|a| [Some((a.name, a.name)), a.alias.map(|alias| (alias, a.name))])
        .flatten();
    let near = nearest(name, words.clone().map(|(word, _)| word));
    let meant = words
        .into_iter()
        .find(|(word, _)| Some(*word) == near)
        .map(|(_, name)| name);
    let meant = meant
        .map(|m| format!("; did you mean {m}?"))
        .unwrap_or_default();
    Failure::usage(format!(
        "hacheck: unknown subcommand {name:?}{meant}\n{}",
        help::table()
    ))
}

fn run(applet: &'static Applet, program: String, args: &[String]) -> Result<u8, Failure> {
    let usage = Some(applet.usage);
    let read = argv::read(&(applet.info)(), args)
        .map_err(|e| prefixed(&program, &Failure::usage(e), usage))?;
    match read {
        argv::Read::Help => output::print(&help::of_applet(applet, &program)).map(|()| 0),
        argv::Read::Version => output::print(help::VERSION).map(|()| 0),
        argv::Read::Args(args) => {
            let call = Call { program, args };
            (applet.run)(&call).map_err(|e| prefixed(&call.program, &e, usage))
        }
    }
}

/// The arguments as text; hacheck's names, paths and reasons all end up in files and answers that are UTF-8.
fn texts(args: &[OsString]) -> Result<Vec<String>, Failure> {
    let text = |arg: &OsString| {
        let text = arg.to_str().map(str::to_owned);
        text.ok_or_else(|| {
            Failure::usage(format!(
                "the argument {arg:?} is not UTF-8; write it in UTF-8"
            ))
        })
    };
    args.iter().map(text).collect()
}

/// A failure as it is shown: the program's name in front of each line, and the usage line where the usage was wrong.
fn prefixed(program: &str, failure: &Failure, usage: Option<&str>) -> Failure {
    let mut message = format!(
        "{program}: {}",
        failure.message.replace('\n', &format!("\n{program}: "))
    );
    if let (2, Some(usage)) = (failure.code, usage) {
        message.push_str(&format!("\nusage: {program} {usage}"));
    }
    Failure {
        message,
        code: failure.code,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_once_in_the_table() {
        let alias = |a: &Applet| a.alias.filter(|alias| *alias != a.name);
        let mut names: Vec<&str> = APPLETS
            .iter()
            .flat_map(|a| [Some(a.name), alias(a)])
            .flatten()
            .collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "a name stands twice in APPLETS");
    }

    #[test]
    fn each_applet_takes_all_options_that_it_lists() {
        for applet in APPLETS {
            let info = (applet.info)();
            for flag in info.flags {
                let args = [flag.long.to_owned(), "1".to_owned()];
                assert!(
                    argv::read(&info, &args).is_ok(),
                    "{} refuses its own {}",
                    applet.name,
                    flag.long
                );
            }
        }
    }
}
