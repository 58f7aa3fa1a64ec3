//! The configuration file of the package: every key, commented out, with its default and its meaning.

use std::collections::BTreeSet;

use hacheck::config::{self, Config};

use super::mdoc::without_links;
use super::{DO_NOT_EDIT, is_generated};

const FILE: &str = "packaging/hacheck.yml";

/// Where lines of comments end.
const WIDTH: usize = 100;

const HEAD: &str = "\
# The configuration of hacheck: see hacheck.yml(5).
#
# Every key stands here with its default; remove the '#' in front of a key to change it. After a change:
#   hacheck config -c /etc/hacheck/hacheck.yml    shows every fault with its line, or the settings in force
#   systemctl reload hacheck                      reads it; keys marked 'restart' need a restart
#
# The ports are not set here but in hacheck.socket (systemctl edit hacheck.socket).
# Passwords in this file are safe from other users: it belongs to root and is readable by the group hacheck alone.
";

fn expected() -> String {
    let mut out = String::from(HEAD);
    for setting in config::settings() {
        let unit = if setting.unit.is_empty() {
            String::new()
        } else {
            format!(", {}", setting.unit)
        };
        let restart = if setting.restart { "; restart" } else { "" };
        out += &format!("\n{}", comment(&without_links(setting.doc)));
        out += &comment(&format!("({}{unit}{restart})", setting.kind));
        out += &format!("#{}: {}\n", setting.name, setting.show(&Config::default()));
    }
    format!("{out}\n# {DO_NOT_EDIT}\n").replace("; do not edit", "")
}

fn comment(text: &str) -> String {
    let (mut out, mut line) = (String::new(), String::from("#"));
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            out += &format!("{line}\n");
            line = String::from("#");
        }
        line += &format!(" {word}");
    }
    out + &line + "\n"
}

/// The keys that stand in the file, commented out.
fn keys(text: &str) -> BTreeSet<&str> {
    let commented = text
        .lines()
        .filter_map(|l| l.strip_prefix('#'))
        .filter(|l| !l.starts_with(' '));
    commented
        .filter_map(|l| l.split_once(':'))
        .map(|(key, _)| key)
        .collect()
}

#[test]
fn the_packaged_configuration_names_every_key() {
    is_generated(FILE, &expected());
    assert_eq!(
        keys(&expected()),
        config::settings().iter().map(|s| s.name).collect()
    );
}

#[test]
fn the_packaged_configuration_is_read_as_the_defaults_with_and_without_its_comments() {
    let text = expected();
    let active: String = text
        .lines()
        .map(|l| match l.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            _ => format!("{l}\n"),
        })
        .collect();
    for text in [text, active] {
        let loaded = config::parse(text.as_bytes(), FILE).unwrap_or_else(|e| panic!("{e}"));
        assert!(loaded.warnings.is_empty(), "{FILE}: warnings");
        assert_eq!(loaded.config, Config::default());
    }
}
