//! The README: the tables in it that are generated, and those that the man pages take from it.

use std::fs;

use hacheck::applet::{APPLETS, Applet};
use hacheck::config;

use super::{is_generated, options};

/// The rows of the table under a heading, without its head: cells in Markdown.
pub fn table(heading: &str) -> Vec<Vec<String>> {
    let readme = fs::read_to_string("README.md").unwrap();
    let (_, section) =
        readme.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("README.md: no {heading}"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|l| l.starts_with('|')).skip(2);
    let cells = |row: &str| row.trim_matches('|').replace("\\|", "\0");
    let rows: Vec<Vec<String>> =
        rows.map(|r| cells(r).split('|').map(|c| c.trim().replace('\0', "|")).collect()).collect();
    assert!(!rows.is_empty(), "README.md: no table under {heading}");
    rows
}

/// All commands; those with the same options share a row.
fn commands() -> String {
    let mut out = String::from("| command | options |\n|---|---|\n");
    let mut done: Vec<&str> = Vec::new();
    for applet in APPLETS {
        if done.contains(&applet.name) {
            continue;
        }
        let same = |other: &&Applet| spelled(other) == spelled(applet);
        let group: Vec<&Applet> = APPLETS.iter().filter(same).collect();
        done.extend(group.iter().map(|a| a.name));
        let calls: Vec<_> = group.iter().map(|a| format!("`{}`", call(a))).collect();
        let text: Vec<_> = options::of(applet).iter().map(|o| format!("`{}` {}", o.spelled(), o.about)).collect();
        out += &format!("| {} | {} |\n", calls.join(", ").replace('|', "\\|"), text.join("<br>").replace('|', "\\|"));
    }
    out
}

fn spelled(applet: &Applet) -> Vec<String> {
    options::of(applet).iter().map(options::Opt::spelled).collect()
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
    for (name, table) in [("settings", config::reference_markdown()), ("commands", commands())] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->\n"));
        let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("README.md has no {begin}"));
        let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("README.md has no {end}"));
        text = [before, &begin, &table, &end, after].concat();
    }
    is_generated("README.md", &text);
}
