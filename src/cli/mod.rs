//! The names of the binary: each applet is one file here and one row in [`APPLETS`].
//!
//! Rule: an applet never ends the process. It returns an exit code, 0 yes or done, 1 no or failed,
//! 2 usage, or a [`Failure`]; `main` alone turns those into text and a code. Help and version come
//! before anything that can fail.

mod applet;
mod args;
mod client;
mod compat;
mod config;
mod failure;
mod fleet;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod install;
mod live;
mod output;
mod probe;
mod reload;
mod roll;
mod serve;
mod switch;
mod top;
mod wait;

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::names::nearest::nearest;
pub use applet::Applet;
use applet::Call;
use args::argv::{self, CommandLine};
use args::help;
pub use args::may_lack_value;
use compat::{health_checker, heartbeat};
pub use failure::Failure;
use failure::usage;
use fleet::applet as fleet_applet;
use switch::{down, downed, list, status, up};

/// The name of the binary.
const HACHECK: &str = "hacheck";

/// Everything that this binary can be called as. Dispatch, help and `hacheck install` read this
/// table.
pub const APPLETS: &[Applet] = &[
    serve::APPLET,
    down::APPLET,
    up::APPLET,
    status::APPLET,
    downed::APPLET,
    list::APPLET,
    top::APPLET,
    roll::APPLET,
    probe::APPLET,
    config::APPLET,
    reload::APPLET,
    fleet_applet::APPLET,
    install::APPLET,
    health_checker::APPLET,
    heartbeat::APPLET,
];

/// Runs the applet that the arguments name; `args[0]` is the name that the binary was called by.
///
/// # Errors
/// [`Failure`] for `main` to print.
pub fn main(args: &[OsString]) -> Result<u8, Failure> {
    let (called, rest) = match args.split_first() {
        Some((called, rest)) => (Path::new(called).file_name(), rest),
        // execve(2) may start a program without even its name.
        None => (None, args),
    };

    match called.and_then(find_alias) {
        Some((applet, alias)) => run(applet, alias, &texts(rest)),
        None => run_subcommand(&texts(rest)),
    }
}

/// The applet that a link to the binary runs; the whole name counts.
fn find_alias(called: &OsStr) -> Option<(&'static Applet, &'static str)> {
    for applet in APPLETS {
        match applet.alias {
            Some(alias) if called == alias => return Some((applet, alias)),
            _ => {}
        }
    }

    None
}

/// Runs what the arguments of `hacheck` itself ask for.
fn run_subcommand(args: &[String]) -> Result<u8, Failure> {
    // As the replaced tools are started: `hacheck`, `hacheck -c FILE -p PORT`.
    let Some((first, rest)) = args.split_first() else {
        return run(&serve::APPLET, HACHECK, args);
    };

    match first.as_str() {
        "-V" | "--version" | "version" => show(help::VERSION),
        "-h" | "--help" => show(&help::of_all(APPLETS)),
        "help" => show(&help_on(rest)),
        option if option.starts_with('-') => run(&serve::APPLET, HACHECK, args),
        name => match find(name) {
            Some(applet) => run(applet, &program_of(applet), rest),
            None => Err(unknown(name)),
        },
    }
}

fn help_on(words: &[String]) -> String {
    let applet = match words {
        [name] => find(name),
        _ => None,
    };

    match applet {
        Some(applet) => help::of_applet(applet, &program_of(applet)),
        None => help::of_all(APPLETS),
    }
}

/// The applet of a subcommand; `hacheck hadown` is taken for `hacheck down`, as busybox would.
fn find(name: &str) -> Option<&'static Applet> {
    APPLETS.iter().find(|applet| applet.is_called(name))
}

fn program_of(applet: &Applet) -> String {
    format!("{HACHECK} {}", applet.name)
}

fn unknown(name: &str) -> Failure {
    let meant = match nearest_subcommand(name) {
        Some(meant) => format!("; did you mean {meant}?"),
        None => String::new(),
    };

    let table = help::table(APPLETS);
    usage!("hacheck: unknown subcommand {name:?}{meant}\n{table}")
}

/// The subcommand whose name, or whose link's name, is nearest to a word.
fn nearest_subcommand(word: &str) -> Option<&'static str> {
    let names = APPLETS.iter().map(|applet| applet.name);
    let aliases = APPLETS.iter().filter_map(|applet| applet.alias);
    let near = nearest(word, names.chain(aliases))?;
    let meant = APPLETS.iter().find(|applet| applet.is_called(near))?;
    Some(meant.name)
}

fn run(applet: &'static Applet, program: &str, args: &[String]) -> Result<u8, Failure> {
    let done = match argv::read(&(applet.info)(), args) {
        Ok(line) => run_line(applet, program, line),
        Err(error) => Err(Failure::usage(error)),
    };

    // Here, where the name is known by which the user called it.
    done.map_err(|failure| failure.shown_by(program, Some(applet.usage)))
}

fn run_line(applet: &'static Applet, program: &str, line: CommandLine) -> Result<u8, Failure> {
    match line {
        CommandLine::Help => show(&help::of_applet(applet, program)),
        CommandLine::Version => show(help::VERSION),
        CommandLine::Args(args) => {
            // Only now: help is given whatever stands beside it.
            refuse_not_utf8(&args)?;
            let program = program.to_owned();
            (applet.run)(&Call { program, args })
        }
    }
}

fn show(text: &str) -> Result<u8, Failure> {
    output::print(text)?;
    Ok(0)
}

/// The arguments as text. Bytes that are no UTF-8 become U+FFFD, which only a reason may hold: see
/// [`refuse_not_utf8`].
fn texts(args: &[OsString]) -> Vec<String> {
    let texts = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    texts.collect()
}

/// Names and paths end up in files and answers that are UTF-8. A reason is for people, who read what can be read of it;
/// the service has to be down.
fn refuse_not_utf8(args: &[String]) -> Result<(), Failure> {
    let mut is_reason = false;
    // In argh's spelling, so a reason is the word behind `--reason`, however it was typed.
    for arg in args {
        if arg.contains(char::REPLACEMENT_CHARACTER) && !is_reason {
            return Err(usage!(
                "the argument {arg:?} is not UTF-8; write it in UTF-8"
            ));
        }
        is_reason = arg == "--reason";
    }

    Ok(())
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
