//! The configuration file of the package: every key, commented out, with its default and its meaning.

use std::collections::BTreeSet;
use std::fs;

use hacheck::config::{self, Config, Setting};
use hacheck::group::Group;
use hacheck::ledger::PollerRule;
use hacheck::probe::{HttpRule, ScriptStep, Service, ServiceLogin, ServiceTls};

use super::mdoc::without_links;
use super::{DO_NOT_EDIT, is_generated};
use crate::support::TempDir;

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

const SERVICES: &str = "\
# For example, with all that a service may have:
#   services:
#     web:
#       timeout: 2
#       http:
#         status: [200, 301-399]
#         method: GET
#         body_contains: \"db: ok\"
#         body_regex: \"db: (ok|slow)\"
#         request_headers: {Host: shop.example}
#       proxy_protocol: v2
#     api: {socket: /run/api.sock}
#     \"db-*\":
#       login: {username: checker, password: \"one in clear\", database: shop}
#       login_to: [\"local:5433\"]
#       tls: {verify: false, server_name: db.example, cert_file: /etc/hacheck/probe.pem, key_file: /etc/hacheck/probe.key}
#     cache: {login: {username: probe, password_file: /etc/hacheck/cache}, tls: {verify: true, ca_file: /etc/hacheck/ca.pem}}
#     open-cache: {login: off, tls: off}
#     mail: {tls: {starttls: true}}
#     ftp: {script: [{expect: \"^220 \"}, {send: \"QUIT\\r\\n\", expect: \"^221\"}]}
";

const GROUPS: &str = "\
# For example, with all that a group may have:
#   groups:
#     node:
#       checks: [tcp://localhost:5432, \"http://localhost:8080/health\"]
#       require: all
#       timeout: 5
#       listen: 0.0.0.0:5500
#       every: 60
#       rise: 2
#       fall: 3
#       on_up: [service, nginx, start]
#       on_down: [service, nginx, stop]
#       action_timeout: 60
#       down_spool: web
";

const POLLERS: &str = "\
# For example, with all that a rule may have:
#   pollers:
#   - {user_agent: nerve, service: \"web-*\", polls_down: 6, polls_up: 3}
#   - {from: 10.9.0.0/16, interval: 30, counts: true}
#   - {user_agent: UptimeRobot, counts: false}
";

/// The keys of what stands below `services`, `groups` and `pollers`.
fn nested_keys() -> Vec<String> {
    fn of<S>(table: &[Setting<S>]) -> Vec<String> {
        let mut keys: Vec<String> = table.iter().map(|s| s.name.to_owned()).collect();
        let secrets = table.iter().filter(|s| s.secret && s.name == "password");
        keys.extend(secrets.map(|s| format!("{}_file", s.name)));
        keys
    }
    let tables = [
        of(&Service::table()),
        of(&HttpRule::table()),
        of(&ServiceLogin::table()),
        of(&ServiceTls::table()),
        of(&ScriptStep::table()),
        of(&Group::table()),
        of(&PollerRule::table()),
    ];
    tables.concat()
}

/// Whether a key stands in a text, as in `key: value` or `{key: value}`.
fn has_key(text: &str, key: &str) -> bool {
    let spelled = format!("{key}:");
    let mut found = text.match_indices(&spelled);
    found.any(|(at, _)| text[..at].ends_with([' ', '{', '`', '.']))
}

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
        out += match setting.name {
            "services" => SERVICES,
            "groups" => GROUPS,
            "pollers" => POLLERS,
            _ => "",
        };
        out += &format!("#{}: {}\n", setting.name, setting.show(&Config::default()));
        if setting.secret {
            out += &comment(
                "or the path of a file that holds it, or the name of a systemd credential",
            );
            out += &format!("#{}_file: null\n", setting.name);
        }
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
    let settings = config::settings();
    let secrets = settings.iter().filter(|s| s.secret);
    let files: Vec<String> = secrets.map(|s| format!("{}_file", s.name)).collect();
    let mut all: BTreeSet<&str> = settings.iter().map(|s| s.name).collect();
    all.extend(files.iter().map(String::as_str));
    assert_eq!(keys(&expected()), all);
}

#[test]
fn the_packaged_configuration_and_the_documents_have_what_services_and_groups_may_have() {
    let file = expected();
    let documents = ["docs/checks.md", "docs/balancers.md"];
    let checks = documents
        .map(|path| fs::read_to_string(path).unwrap())
        .concat();
    for key in nested_keys() {
        assert!(has_key(&file, &key), "{FILE}: no word of {key}");
        let cells = [format!("`{key}`"), format!(".{key}`")];
        let is_documented = has_key(&checks, &key) || cells.iter().any(|c| checks.contains(c));
        assert!(is_documented, "{documents:?}: no word of {key}");
    }
}

#[test]
fn the_examples_in_the_packaged_configuration_are_read_without_a_warning() {
    let text = expected();
    let example: String = text
        .lines()
        .filter_map(|l| l.strip_prefix("#   "))
        .filter(|l| !l.starts_with("hacheck ") && !l.starts_with("systemctl "))
        .map(|l| format!("{l}\n"))
        .collect();
    let folder = TempDir::new();
    let secret = folder.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    let example = example.replace("/etc/hacheck/cache", secret.to_str().unwrap());
    let loaded = config::parse(example.as_bytes(), FILE).unwrap_or_else(|e| panic!("{e}"));
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.is_empty(), "{}", warnings.join("\n"));
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
