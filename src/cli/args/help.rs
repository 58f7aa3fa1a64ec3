//! Help texts, made of the table of applets and argh's list of flags. Rule: nothing here touches disk or network.

use argh::FlagInfoKind;

use super::may_lack_value;
use crate::cli::applet::Applet;

/// The answer to `--version`.
pub(crate) const VERSION: &str = concat!("hacheck ", env!("CARGO_PKG_VERSION"), "\n");

/// Where descriptions of options begin, in characters.
const COLUMN: usize = 30;

/// The width of a terminal, in characters.
const WIDTH: usize = 80;

/// The applets, one line each.
pub(crate) fn table(applets: &[Applet]) -> String {
    let row = |a: &Applet| {
        let names = format!(
            "{:<9}{}",
            a.name,
            a.alias.filter(|alias| *alias != a.name).unwrap_or("")
        );
        line(&names, a.about)
    };
    applets
        .iter()
        .map(row)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// The help of `hacheck` itself.
pub(crate) fn of_all(applets: &[Applet]) -> String {
    format!(
        "usage: hacheck SUBCOMMAND [options]\n   or: hadown [options] SERVICE..., by the name of a link\n\n{}\n\n\
         Without a subcommand hacheck serves: hacheck -c FILE -p PORT\n\
         More: hacheck help SUBCOMMAND\n",
        table(applets)
    )
}

/// The help of one applet, called as `program`.
pub(crate) fn of_applet(applet: &Applet, program: &str) -> String {
    let about = wrapped(&sentence(applet.about), 0);
    let mut text = format!("usage: {program} {}\n\n{about}\n", applet.usage);
    for note in applet.notes() {
        text.push_str(&format!("\n{}\n", wrapped(note, 0)));
    }
    text.push_str("\nOptions:\n");
    for flag in applet.options() {
        let value = match flag.kind {
            FlagInfoKind::Switch => String::new(),
            FlagInfoKind::Option { arg_name } if may_lack_value(flag) => format!("[={arg_name}]"),
            FlagInfoKind::Option { arg_name } => format!(" {}", arg_name.to_uppercase()),
        };
        text.push_str(&line(
            &spelled(flag.short, &format!("{}{value}", flag.long)),
            flag.description,
        ));
    }
    text.push_str(&line(&spelled(Some('h'), "--help"), "show this text"));
    text.push_str(&line(&spelled(None, "--version"), "show the version"));
    let examples: Vec<_> = applet.examples().collect();
    if !examples.is_empty() {
        text.push_str(&format!("\nExamples:\n  {}\n", examples.join("\n  ")));
    }
    text
}

fn spelled(short: Option<char>, long: &str) -> String {
    format!(
        "{}{long}",
        short.map_or("    ".to_owned(), |c| format!("-{c}, "))
    )
}

/// A name and what it is about.
fn line(name: &str, about: &str) -> String {
    let about = wrapped(about, COLUMN);
    // A name that reaches into the column has a line of its own.
    match name.len() + 4 > COLUMN {
        true => format!("  {name}\n{:COLUMN$}{about}\n", ""),
        false => format!("  {name:<width$}{about}\n", width = COLUMN - 2),
    }
}

/// A text in lines of a terminal; all but the first begin at a column.
fn wrapped(text: &str, column: usize) -> String {
    let mut out = String::new();
    let mut used = column;
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > column && used + 1 + length > WIDTH {
            out.push_str(&format!("\n{:column$}", ""));
            used = column;
        } else if used > column {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .map(|c| c.to_uppercase().chain(chars).chain(['.']).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::APPLETS;

    #[test]
    fn help_fits_into_a_terminal_and_shows_what_is_used() {
        let of = |a: &Applet| of_applet(a, a.alias.unwrap_or("hacheck"));
        for text in APPLETS.iter().map(of).chain([of_all(APPLETS)]) {
            let wide = text.lines().find(|l| l.chars().count() > WIDTH);
            assert_eq!(wide, None, "{text}");
        }
        let status = APPLETS.iter().find(|a| a.name == "status").map(of).unwrap();
        assert!(
            status.contains("--output")
                && !status.contains("--wait")
                && !status.contains("hadown --"),
            "{status}"
        );
    }
}
