//! Help texts, made of the table of applets and argh's list of flags.
//!
//! Rule: nothing here touches disk or network.

use argh::{FlagInfo, FlagInfoKind};

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
    let mut table = String::new();
    for applet in applets {
        table.push_str(&row(&names(applet), applet.about));
    }

    table.trim_end().to_owned()
}

/// Its name, and the name of its link where that is another one.
fn names(applet: &Applet) -> String {
    let alias = applet.alias.filter(|alias| *alias != applet.name);
    format!("{:<9}{}", applet.name, alias.unwrap_or_default())
}

/// The help of `hacheck` itself.
pub(crate) fn of_all(applets: &[Applet]) -> String {
    let table = table(applets);
    format!(
        "usage: hacheck SUBCOMMAND [options]\n   or: hadown [options] SERVICE..., by the name of a link\n\n{table}\n\n\
         Without a subcommand hacheck serves: hacheck -c FILE -p PORT\n\
         More: hacheck help SUBCOMMAND\n"
    )
}

/// The help of one applet, called as `program`.
pub(crate) fn of_applet(applet: &Applet, program: &str) -> String {
    let about = wrapped(&sentence(applet.about), 0);
    let mut text = format!("usage: {program} {}\n\n{about}\n", applet.usage);
    for note in applet.notes() {
        text.push_str(&format!("\n{}\n", wrapped(note, 0)));
    }

    text.push_str(&options(applet));
    text.push_str(&examples(applet));
    text
}

fn options(applet: &Applet) -> String {
    let mut text = "\nOptions:\n".to_owned();
    for flag in applet.options() {
        text.push_str(&row(&spelled(applet, flag), applet.description(flag)));
    }

    // Of every applet, so none declares them.
    text.push_str(&row("-h, --help", "show this text"));
    text.push_str(&row("-V, --version", "show the version"));
    text
}

fn examples(applet: &Applet) -> String {
    let examples: Vec<&str> = applet.examples().collect();
    if examples.is_empty() {
        return String::new();
    }

    format!("\nExamples:\n  {}\n", examples.join("\n  "))
}

/// `-p, --port PORT`, `    --wait[=drained]`.
fn spelled(applet: &Applet, flag: &FlagInfo<'static>) -> String {
    let short = match flag.short {
        Some(letter) => format!("-{letter}, "),
        None => "    ".to_owned(),
    };
    format!("{short}{}{}", flag.long, spelled_value(applet, flag))
}

fn spelled_value(applet: &Applet, flag: &FlagInfo<'static>) -> String {
    match flag.kind {
        FlagInfoKind::Switch => String::new(),
        FlagInfoKind::Option { .. } if may_lack_value(flag) => match applet.optional_value(flag) {
            Some(value) => format!("[={value}]"),
            None => String::new(),
        },
        FlagInfoKind::Option { arg_name } => format!(" {}", arg_name.to_uppercase()),
    }
}

/// A name and what it is about.
fn row(name: &str, about: &str) -> String {
    let about = wrapped(about, COLUMN);
    let width = COLUMN - 2;
    // A name that reaches into the column has a line of its own.
    if name.len() + 2 > width {
        format!("  {name}\n{:COLUMN$}{about}\n", "")
    } else {
        format!("  {name:<width$}{about}\n")
    }
}

/// A text in lines of a terminal; all but the first begin at a column.
fn wrapped(text: &str, column: usize) -> String {
    let indent = " ".repeat(column);
    let mut lines = String::new();
    // A word that is longer than a line has one of its own, and is not cut: it may be a path to copy.
    let mut used = column;
    for word in text.split(' ') {
        let length = word.chars().count();
        let is_first = used == column;
        if !is_first && used + 1 + length > WIDTH {
            lines.push('\n');
            lines.push_str(&indent);
            used = column;
        } else if !is_first {
            lines.push(' ');
            used += 1;
        }
        lines.push_str(word);
        used += length;
    }

    lines
}

/// With a capital at the beginning and a full stop at the end.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

impl Applet {
    /// What the value of an option may be where it may be left out, such as `drained` of `--wait`; none where it may not,
    /// or where this applet takes no such value.
    #[must_use]
    pub fn optional_value(&self, flag: &FlagInfo<'static>) -> Option<&'static str> {
        let FlagInfoKind::Option { arg_name } = flag.kind else {
            return None;
        };

        let spelled = format!("{}={arg_name}", flag.long);
        (may_lack_value(flag) && (self.uses)(&spelled)).then_some(arg_name)
    }

    /// What an option does here; what stands behind `; =` is about its value.
    #[must_use]
    pub fn description(&self, flag: &FlagInfo<'static>) -> &'static str {
        match flag.description.split_once("; =") {
            Some((without_value, _)) if self.optional_value(flag).is_none() => without_value,
            _ => flag.description,
        }
    }
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

    #[test]
    fn haup_waits_without_a_value() {
        let of = |name| {
            let applet = APPLETS.iter().find(|a| a.name == name).unwrap();
            of_applet(applet, name)
        };
        assert!(of("down").contains("--wait[=drained] "), "{}", of("down"));
        assert!(!of("up").contains("drained"), "{}", of("up"));
        assert!(of("up").contains("--wait "), "{}", of("up"));
    }
}
