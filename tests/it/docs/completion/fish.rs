//! The completion for fish: a line for each option of each name.

use hacheck::cli::{APPLETS, Applet};
use hacheck::probe::PROTOCOLS;

use super::{arguments, choices};
use crate::docs::options::{self, Opt};
use crate::docs::{DO_NOT_EDIT, is_generated};

const FILE: &str = "packaging/fish-completion/hacheck.fish";

#[test]
fn the_completion_of_fish_knows_all_names_and_options() {
    is_generated(FILE, &expected());
}

fn expected() -> String {
    let mut lines = vec!["complete -c hacheck -f".to_owned()];
    for applet in APPLETS {
        let (name, about) = (applet.name, quoted(applet.about));
        lines.push(format!(
            "complete -c hacheck -n __hacheck_needs_subcommand -a {name} -d {about}"
        ));
        lines.extend(of(applet, "hacheck", &format!("__hacheck_is {name}")));
        if let Some(alias) = applet.alias {
            lines.push(format!("complete -c {alias} -f"));
            lines.extend(of(applet, alias, ""));
        }
    }
    include_str!("hacheck.fish")
        .replace("@DO_NOT_EDIT@", DO_NOT_EDIT)
        .replace("@TABLE@", &lines.join("\n"))
}

/// Fish knows no quotes within single ones but behind a backslash.
fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\'', "\\'");
    format!("'{text}'")
}

/// The lines of an applet, called by this name, on lines of which a condition holds.
fn of(applet: &Applet, name: &str, condition: &str) -> Vec<String> {
    let when = |more: &str| {
        let both: Vec<&str> = [condition, more]
            .into_iter()
            .filter(|c| !c.is_empty())
            .collect();
        match both.is_empty() {
            true => format!("complete -c {name}"),
            false => format!("complete -c {name} -n {}", quoted(&both.join("; and "))),
        }
    };
    let before_dashes = match arguments(applet) {
        "command" => "not __hacheck_has_dashes",
        _ => "",
    };
    let mut lines = Vec::new();
    for option in options::of(applet) {
        lines.push(format!(
            "{} {}",
            when(before_dashes),
            words(applet, &option)
        ));
    }
    lines.push(format!(
        "{} -s h -l help -d 'show this help'",
        when(before_dashes)
    ));
    lines.push(format!(
        "{} -s V -l version -d 'show the version'",
        when(before_dashes)
    ));
    match arguments(applet) {
        "services" => lines.push(format!("{} -a '(__hacheck_services)'", when(""))),
        "downed" => lines.push(format!("{} -a '(__hacheck_downed)'", when(""))),
        "folders" => lines.push(format!("{} -a '(__fish_complete_directories)'", when(""))),
        "files" => lines.push(format!("{} -F", when(""))),
        "probe" => {
            let protocols: Vec<&str> = PROTOCOLS.iter().map(|p| p.name).collect();
            lines.push(format!("{} -a {}", when(""), quoted(&protocols.join(" "))));
        }
        "command" => {
            lines.push(format!("{} -a '(__hacheck_services)'", when(before_dashes)));
            lines.push(format!(
                "{} -a '(__hacheck_command)'",
                when("__hacheck_has_dashes")
            ));
        }
        _ => {}
    }
    lines
}

fn words(applet: &Applet, option: &Opt) -> String {
    let mut words = Vec::new();
    if let Some(short) = option.short {
        words.push(format!("-s {short}"));
    }
    words.push(format!("-l {}", option.long.trim_start_matches("--")));
    if let Some(value) = &option.value {
        match (choices(applet, &option.long, value), value.as_str()) {
            (Some(choices), _) if option.may_lack_value => {
                words.push(format!("-a {}", quoted(choices)));
            }
            (Some(choices), _) => words.push(format!("-x -a {}", quoted(choices))),
            (None, "file") => words.push("-r -F".to_owned()),
            (None, "folder") => words.push("-x -a '(__fish_complete_directories)'".to_owned()),
            (None, _) => words.push("-x".to_owned()),
        }
    }
    words.push(format!("-d {}", quoted(&option.about)));
    words.join(" ")
}
