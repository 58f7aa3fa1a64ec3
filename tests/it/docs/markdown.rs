//! The documents in Markdown: the tables in them that are generated, and those that the man pages take from them.

use std::fs;

use hacheck::cli::{APPLETS, Applet};
use hacheck::config;
use hacheck::fleet::settings::FleetSettings;
use hacheck::probe::PROTOCOLS;

use super::options::Opt;
use super::{is_generated, options, section};

/// The rows of the first table under a heading of a file, without its head: cells in Markdown.
pub fn table(file: &str, heading: &str) -> Vec<Vec<String>> {
    let section = section::lines(file, heading);
    let rows = section
        .iter()
        .skip_while(|l| !l.starts_with('|'))
        .take_while(|l| l.starts_with('|'))
        .skip(2);
    let rows: Vec<Vec<String>> = rows.map(|row| cells(row)).collect();
    assert!(!rows.is_empty(), "{file}: no table under {heading}");
    rows
}

/// The cells of a table's row.
pub fn cells(row: &str) -> Vec<String> {
    let row = row.trim_matches('|').replace("\\|", "\0");
    let cells = row.split('|');
    cells.map(|cell| cell.trim().replace('\0', "|")).collect()
}

/// All commands; those that take the same options share a row, which says whose an option is.
fn commands() -> String {
    let mut out = String::from("| command | options |\n|---|---|\n");
    let mut done: Vec<&str> = Vec::new();
    for applet in APPLETS {
        if done.contains(&applet.name) {
            continue;
        }
        let taken: Vec<_> = options::taken(applet).iter().map(Opt::spelled).collect();
        let same = |other: &&Applet| {
            options::taken(other)
                .iter()
                .map(Opt::spelled)
                .eq(taken.iter().cloned())
        };
        let group: Vec<&Applet> = APPLETS.iter().filter(same).collect();
        done.extend(group.iter().map(|a| a.name));
        let calls: Vec<_> = group.iter().map(|a| format!("`{}`", call(a))).collect();
        let text: Vec<_> = options::taken(applet)
            .iter()
            .filter_map(|o| described(o, &group))
            .collect();
        out += &format!(
            "| {} | {} |\n",
            calls.join(", ").replace('|', "\\|"),
            text.join("<br>").replace('|', "\\|")
        );
    }
    out
}

/// What an option does, and for which of several commands, where not for all of them.
fn described(option: &Opt, group: &[&Applet]) -> Option<String> {
    let uses = |a: &&&Applet| options::of(a).iter().any(|o| o.long == option.long);
    let users: Vec<_> = group.iter().filter(uses).filter_map(|a| a.alias).collect();
    let whose = match group.iter().filter(uses).count() {
        0 => return None,
        n if n == group.len() => String::new(),
        _ => format!(" ({})", users.join(", ")),
    };
    Some(format!("`{}`{whose} {}", option.spelled(), option.about))
}

fn call(applet: &Applet) -> String {
    match (applet.alias, applet.name) {
        (Some(alias), _) => format!("{alias} {}", applet.usage),
        (None, "serve") => format!("hacheck [serve] {}", applet.usage),
        (None, name) => format!("hacheck {name} {}", applet.usage),
    }
}

/// Checks that a file has a table between two comments that name it.
fn holds(file: &str, name: &str, table: &str) {
    let text = fs::read_to_string(file).unwrap();
    let begin = format!("<!-- {name} -->\n");
    let end = format!("<!-- end of {name} -->\n");
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{file} has no {begin}"));
    let (_, after) = rest
        .split_once(&end)
        .unwrap_or_else(|| panic!("{file} has no {end}"));
    is_generated(file, &[before, &begin, table, &end, after].concat());
}

#[test]
fn the_documents_hold_every_setting_and_every_option() {
    holds(
        "docs/configuration.md",
        "settings",
        &config::reference_markdown(),
    );
    holds("docs/commands.md", "commands", &commands());
    holds(
        "docs/fleet.md",
        "fleet",
        &FleetSettings::reference_markdown(),
    );
}

#[test]
fn the_documents_name_every_protocol_and_command() {
    let readme = fs::read_to_string("README.md").unwrap();
    let checks = fs::read_to_string("docs/checks.md").unwrap();
    for protocol in PROTOCOLS {
        let name = format!("`{}`", protocol.name);
        assert!(readme.contains(&name), "README.md: no word of {name}");
        let row = format!("| {name} |");
        assert!(checks.contains(&row), "docs/checks.md: no row for {name}");
    }
    for applet in APPLETS {
        let name = applet.alias.unwrap_or(applet.name);
        assert!(readme.contains(name), "README.md: no word of {name}");
    }
}

#[test]
fn the_readme_is_read_in_five_minutes() {
    let size = fs::metadata("README.md").unwrap().len();
    let most = 10 * 1024;
    assert!(
        size <= most,
        "README.md has {size} bytes, {most} at most; move what is not for newcomers to docs/"
    );
}
