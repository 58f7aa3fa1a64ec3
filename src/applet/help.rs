//! Help texts, made of the table of applets and argh's list of flags. Rule: nothing here touches disk or network.

use argh::FlagInfoKind;

use super::{APPLETS, Applet, argv};

/// The answer to `--version`.
pub(super) const VERSION: &str = concat!("hacheck ", env!("CARGO_PKG_VERSION"), "\n");

/// Where descriptions of options begin, in characters.
const COLUMN: usize = 30;

/// The applets, one line each.
pub(super) fn table() -> String {
    let row = |a: &Applet| {
        format!("  {:<15}{:<14}{}\n", a.name, a.alias.filter(|alias| *alias != a.name).unwrap_or(""), a.about)
    };
    APPLETS.iter().map(row).collect::<String>().trim_end().to_owned()
}

/// The help of `hacheck` itself.
pub(super) fn of_all() -> String {
    format!(
        "usage: hacheck SUBCOMMAND [options]   or by a link's name: hadown [options] SERVICE...\n\n{}\n\n\
         Without a subcommand hacheck serves: hacheck -c FILE -p PORT\n\
         More: hacheck help SUBCOMMAND\n",
        table()
    )
}

/// The help of one applet, called as `program`.
pub(super) fn of_applet(applet: &Applet, program: &str) -> String {
    let info = (applet.info)();
    let mut text = format!("usage: {program} {}\n\n{}\n", applet.usage, sentence(applet.about));
    if !info.notes.is_empty() {
        text.push_str(&format!("\n{}\n", info.notes.join("\n")));
    }
    text.push_str("\nOptions:\n");
    for flag in info.flags.iter().filter(|f| !f.hidden && f.long != "--help") {
        let value = match flag.kind {
            FlagInfoKind::Switch => String::new(),
            FlagInfoKind::Option { arg_name } if argv::left_out(flag).is_some() => format!("[={arg_name}]"),
            FlagInfoKind::Option { arg_name } => format!(" {}", arg_name.to_uppercase()),
        };
        text.push_str(&line(flag.short, &format!("{}{value}", flag.long), flag.description));
    }
    text.push_str(&line(Some('h'), "--help", "show this text"));
    text.push_str(&line(None, "--version", "show the version"));
    if !info.examples.is_empty() {
        text.push_str(&format!("\nExamples:\n  {}\n", info.examples.join("\n  ")));
    }
    text
}

fn line(short: Option<char>, long: &str, description: &str) -> String {
    let short = short.map_or("    ".to_owned(), |c| format!("-{c}, "));
    format!("  {:<COLUMN$}{description}\n", format!("{short}{long}"))
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|c| c.to_uppercase().chain(chars).chain(['.']).collect()).unwrap_or_default()
}
