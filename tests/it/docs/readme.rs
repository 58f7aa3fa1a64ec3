//! The README: the tables in it that are generated, and those that the man pages take from it.

use std::fs;

use hacheck::cli::{APPLETS, Applet};
use hacheck::config;

use super::options::Opt;
use super::{is_generated, options};

/// The rows of the table under a heading, without its head: cells in Markdown.
pub fn table(heading: &str) -> Vec<Vec<String>> {
    let readme = fs::read_to_string("README.md").unwrap();
    let (_, section) = readme
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("README.md: no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|l| l.starts_with('|')).skip(2);
    let cells = |row: &str| row.trim_matches('|').replace("\\|", "\0");
    let rows: Vec<Vec<String>> = rows
        .map(|r| {
            cells(r)
                .split('|')
                .map(|c| c.trim().replace('\0', "|"))
                .collect()
        })
        .collect();
    assert!(!rows.is_empty(), "README.md: no table under {heading}");
    rows
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

#[test]
fn the_readme_holds_the_reference() {
    let mut text = fs::read_to_string("README.md").unwrap();
    for (name, table) in [
        ("settings", config::reference_markdown()),
        ("commands", commands()),
    ] {
        let (begin, end) = (
            format!("<!-- {name} -->\n"),
            format!("<!-- end of {name} -->\n"),
        );
        let (before, rest) = text
            .split_once(&begin)
            .unwrap_or_else(|| panic!("README.md has no {begin}"));
        let (_, after) = rest
            .split_once(&end)
            .unwrap_or_else(|| panic!("README.md has no {end}"));
        text = [before, &begin, &table, &end, after].concat();
    }
    is_generated("README.md", &text);
}
