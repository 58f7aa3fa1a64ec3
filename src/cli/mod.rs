//! The names of the binary: each applet is one file here and one row in [`APPLETS`].
//!
//! Rule: an applet never ends the process. It returns an exit code, 0 yes or done, 1 no or failed, 2 usage, or a
//! [`Failure`]; `main` alone turns those into text and a code. Help and version come before anything that can fail.

mod applet;
mod args;
mod client;
mod compat;
mod config;
mod failure;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod install;
mod output;
mod probe;
mod roll;
mod serve;
mod switch;
mod wait;

use std::ffi::OsString;
use std::path::Path;

use crate::names::nearest::nearest;
pub use applet::Applet;
use applet::Call;
pub use args::may_lack_value;
use args::{argv, help};
use compat::{health_checker, heartbeat};
pub use failure::Failure;
use switch::{down, downed, list, status, up};

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
        (Some("help" | "-h" | "--help"), _) => output::print(&help::of_all(APPLETS)).map(|()| 0),
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
        help::table(APPLETS)
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
