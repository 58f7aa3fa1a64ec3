//! The completion for bash: the tables as shell functions, and what uses them.

use hacheck::cli::{APPLETS, Applet};
use hacheck::probe::PROTOCOLS;

use super::{ACTIONS, FLEET_FORMATS, FORMATS, ROLL_FORMATS, TOP_FORMATS, WAITS, arguments};
use crate::docs::{DO_NOT_EDIT, is_generated, names, options};

const FILE: &str = "packaging/bash-completion/hacheck";

fn row(applet: &Applet) -> String {
    let words: Vec<_> = options::of(applet)
        .iter()
        .flat_map(|o| {
            [o.short.map(|c| format!("-{c}")), Some(o.long.clone())]
                .into_iter()
                .flatten()
        })
        .chain(["-h", "--help", "-V", "--version"].map(str::to_owned))
        .collect();
    let values: Vec<_> = options::taken(applet)
        .into_iter()
        .filter(|o| !o.may_lack_value)
        .filter_map(|o| Some((kind(applet, o.value?), o.short, o.long)))
        .flat_map(|(v, short, long)| {
            let spellings = [short.map(|c| format!("-{c}")), Some(long)];
            spellings
                .into_iter()
                .flatten()
                .map(move |s| format!("{s}={v}"))
        })
        .collect();
    format!(
        "        {})\n            words='{}'\n            values='{}'\n            arguments={}\n            ;;\n",
        applet.alias.map_or_else(
            || applet.name.to_owned(),
            |alias| format!("{} | {alias}", applet.name)
        ),
        words.join(" "),
        values.join(" "),
        arguments(applet)
    )
}

/// What a value is.
fn kind(applet: &Applet, value: String) -> String {
    match (applet.name, value.as_str()) {
        ("top" | "fleet" | "roll", "format") => format!("{}_format", applet.name),
        _ => value,
    }
}

fn expected() -> String {
    let table: String = APPLETS.iter().map(row).collect();
    let subcommands: Vec<_> = APPLETS.iter().map(|a| a.name).collect();
    let protocols: Vec<_> = PROTOCOLS.iter().map(|p| p.name).collect();
    include_str!("hacheck.bash")
        .replace("@DO_NOT_EDIT@", DO_NOT_EDIT)
        .replace("@TABLE@\n", &table)
        .replace("@SUBCOMMANDS@", &subcommands.join(" "))
        .replace("@PROTOCOLS@", &protocols.join(" "))
        .replace("@ACTIONS@", ACTIONS)
        .replace("@FORMATS@", FORMATS)
        .replace("@TOP_FORMATS@", TOP_FORMATS)
        .replace("@FLEET_FORMATS@", FLEET_FORMATS)
        .replace("@ROLL_FORMATS@", ROLL_FORMATS)
        .replace("@WAITS@", WAITS)
        .replace("@NAMES@", &names().join(" "))
}

#[test]
fn the_completion_knows_all_names_and_options() {
    is_generated(FILE, &expected());
}
