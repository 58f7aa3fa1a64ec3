//! The completion for zsh: a function with `_arguments` for each applet.

use argh::Optionality;
use hacheck::cli::{APPLETS, Applet};
use hacheck::probe::PROTOCOLS;

use super::{arguments, choices, quoted};
use crate::docs::options::{self, Opt};
use crate::docs::{DO_NOT_EDIT, is_generated};

const FILE: &str = "packaging/zsh-completion/_hacheck";

#[test]
fn the_completion_of_zsh_knows_all_names_and_options() {
    is_generated(FILE, &expected());
}

fn expected() -> String {
    let names = APPLETS
        .iter()
        .filter_map(|a| Some(format!("{}={}", a.alias?, a.name)));
    let names: Vec<String> = std::iter::once("hacheck".to_owned()).chain(names).collect();
    let table: String = APPLETS.iter().map(function).collect();
    let subcommands: Vec<String> = APPLETS.iter().map(subcommand).collect();
    include_str!("hacheck.zsh")
        .replace("@DO_NOT_EDIT@", DO_NOT_EDIT)
        .replace("@NAMES@", &names.join(" "))
        .replace("@TABLE@\n", &table)
        .replace("@SUBCOMMANDS@", &subcommands.join("\n"))
}

fn subcommand(applet: &Applet) -> String {
    let about = applet.about.replace(':', "\\:");
    format!("        {}", quoted(&format!("{}:{about}", applet.name)))
}

fn function(applet: &Applet) -> String {
    let mut specs: Vec<String> = Vec::new();
    for option in options::of(applet) {
        specs.extend(option_specs(applet, &option));
    }
    specs.push("'(-h --help)'{-h,--help}'[show this help]'".to_owned());
    specs.push("'(-V --version)'{-V,--version}'[show the version]'".to_owned());
    specs.extend(argument_specs(applet));
    let specs = specs.join(" \\\n        ");
    format!(
        "_hacheck_options_{}() {{\n    _arguments -s -S : \\\n        {specs}\n}}\n\n",
        applet.name
    )
}

/// A specification for each spelling.
fn option_specs(applet: &Applet, option: &Opt) -> Vec<String> {
    let short = option.short.map(|c| format!("-{c}"));
    let spellings: Vec<String> = short.into_iter().chain([option.long.clone()]).collect();
    let first = match repeats(applet, &option.long) {
        true => "*".to_owned(),
        false => format!("({})", spellings.join(" ")),
    };
    let about = option.about.replace('\\', "\\\\").replace(']', "\\]");
    let specs = spellings.iter().map(|spelling| {
        let value = value(applet, option, spelling);
        quoted(&format!("{first}{spelling}{}[{about}]{}", value.0, value.1))
    });
    specs.collect()
}

fn repeats(applet: &Applet, long: &str) -> bool {
    let flags = (applet.info)().flags;
    let flag = flags.iter().find(|flag| flag.long == long);
    flag.is_some_and(|flag| matches!(flag.optionality, Optionality::Repeating))
}

/// How the value stands behind the option, and what it may be.
fn value(applet: &Applet, option: &Opt, spelling: &str) -> (&'static str, String) {
    let Some(value) = &option.value else {
        return ("", String::new());
    };
    let action = match (choices(applet, &option.long, value), value.as_str()) {
        (Some(choices), _) => format!("({choices})"),
        (None, "file") => "_files".to_owned(),
        (None, "folder") => "_files -/".to_owned(),
        (None, _) => " ".to_owned(),
    };
    match (option.may_lack_value, spelling.starts_with("--")) {
        (true, _) => ("=-", format!("::{value}:{action}")),
        (false, true) => ("=", format!(":{value}:{action}")),
        (false, false) => ("+", format!(":{value}:{action}")),
    }
}

fn argument_specs(applet: &Applet) -> Vec<String> {
    let protocols: Vec<&str> = PROTOCOLS.iter().map(|p| p.name).collect();
    let specs = match arguments(applet) {
        "services" | "command" => vec!["*:service:_hacheck_services".to_owned()],
        "downed" => vec!["*:service:_hacheck_downed".to_owned()],
        "folders" => vec!["*:folder:_files -/".to_owned()],
        "files" => vec!["*:file:_files".to_owned()],
        "probe" => vec![
            format!("1:protocol:({})", protocols.join(" ")),
            "2:service:_hacheck_services".to_owned(),
            "3:port: ".to_owned(),
            "4:query: ".to_owned(),
        ],
        _ => vec![],
    };
    specs.iter().map(|spec| quoted(spec)).collect()
}
