//! Behaviour of the whole way from text to settings.

mod hostile;
mod logins;
mod secrets;
mod services;
mod values;
mod yaml;

use super::*;
use crate::settings::{Document, FaultSink, Reader};

fn good(text: &str) -> Config {
    match parse(text.as_bytes(), "f") {
        Ok(loaded) if loaded.warnings.is_empty() => loaded.config,
        Ok(loaded) => panic!("{text:?} warned: {:?}", loaded.warnings),
        Err(faults) => panic!("{text:?}: {faults}"),
    }
}

/// The settings of a file that may be warned about.
fn taken(text: &str) -> Config {
    match parse(text.as_bytes(), "f") {
        Ok(loaded) => loaded.config,
        Err(faults) => panic!("{text:?}: {faults}"),
    }
}

fn bad(text: &str) -> String {
    match parse(text.as_bytes(), "f") {
        Ok(_) => panic!("{text:?} was taken"),
        Err(faults) => faults.to_string(),
    }
}

fn warned(text: &str) -> Vec<String> {
    parse(text.as_bytes(), "f")
        .unwrap()
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn all_faults_are_reported_together_with_their_lines() {
    assert_eq!(
        bad("# a comment\ncache_time: soon\n\nmax_clients:\n  0\ntls_verify: [x]\n")
            .lines()
            .map(|l| &l[..4])
            .collect::<Vec<_>>(),
        ["f:2:", "f:4:", "f:6:"]
    );
    assert!(
        bad("{\n \"max_body\": 1,\n\n \"max_clients\": 0\n}")
            .starts_with("f:4: max_clients: '0' is out of range")
    );
}

#[test]
fn unknown_keys_warn_and_name_the_nearest() {
    assert_eq!(
        warned("cache_tiem: 1\nport: 3333\n"),
        [
            "f:1: cache_tiem: there is no such setting, so it does nothing; did you mean cache_time?",
            "f:2: port: there is no such setting, so it does nothing; give the port with -p, or in hacheck.socket where systemd opens it",
        ]
    );
}

#[test]
fn settings_that_need_each_other_warn() {
    assert!(warned("tls_ca_file: /ca.pem")[0].contains("tls_verify"));
    assert!(warned("tls_ca_file: /ca.pem\ntls_verify: yes").is_empty());
    assert!(warned("mysql_username: u")[0].contains("mysql_password"));
    assert!(warned("mysql_password: u")[0].contains("mysql_username"));
    assert!(warned("mysql_password: u\nmysql_username: null")[0].contains("mysql_username"));
}

#[test]
fn the_effective_settings_can_be_read_back() {
    let texts = [
        "",
        "cache_time: .inf\nhealthcheck_timeout: 0.1\nmax_body: 1000\nlog_path: '/tmp/a b: #\"\\é😀'\nrlimit_nofile: max",
        "check_hosts: [any, '::1']\nhttp_headers_to_copy: []\nservice_name_header: Null\nmax_connections: 7\nlog_level: off",
        "login_to: [local, 'local:3307', 10.0.0.0/8, '10.1.2.3:6379', '[fd00::/8]:6379', '::1']",
        "login_to: []",
        "mysql_username: 'true'\ntls_verify: on\ntls_ca_file: rel.pem\ncache_time: 0.3",
    ];
    for text in texts {
        let config = parse(text.as_bytes(), "f").unwrap().config;
        let shown = effective(&config);
        let again = parse(shown.as_bytes(), "shown").unwrap_or_else(|e| panic!("{e}\n{shown}"));
        assert_eq!(again.config, config, "{shown}");
    }
    assert!(
        effective(&Config::default())
            .lines()
            .all(|l| !l.contains("# default"))
    );
}

#[test]
fn the_table_has_every_key_once_and_documents_it() {
    let reference = reference_markdown();
    for setting in settings() {
        assert_eq!(
            settings().iter().filter(|s| s.name == setting.name).count(),
            1,
            "{}",
            setting.name
        );
        assert!(
            reference.contains(&format!("| `{}` |", setting.name)) && setting.doc.ends_with('.'),
            "{}",
            setting.name
        );
    }
    assert_eq!(reference.lines().count(), settings().len() + 2);
    assert!(
        reference
            .lines()
            .all(|l| l.replace("\\|", "").matches('|').count() == 6),
        "{reference}"
    );
}

#[test]
fn changes_that_need_a_restart_are_named() {
    let old = good("cache_time: 3\nmax_services: 5");
    let new = good("cache_time: 4\nmax_services: 6\nrlimit_nofile: max");
    assert_eq!(needs_restart(&old, &new), ["max_services", "rlimit_nofile"]);
    assert!(needs_restart(&old, &old).is_empty());
}

/// What the tables of groups and rules will do.
#[test]
fn nested_values_complain_with_their_own_key_and_line() {
    let text = "groups:\n  node:\n    checks: [a, [b]]\n    require:\n      lots\n    tiemout: 5\n    every: ~\n  web: 5\n";
    let document = Document::parse(text).unwrap();
    let sink = FaultSink::new(text.len());
    let root = Reader::root(&document.root, &sink)
        .fields(&["groups"])
        .unwrap();
    for (name, group) in root.get("groups").unwrap().entries().unwrap() {
        let Some(fields) = group.fields(&["checks", "require", "timeout", "every"]) else {
            assert_eq!(name, "web");
            continue;
        };
        assert_eq!(fields.get("checks").unwrap().each(Reader::text), None);
        assert_eq!(fields.get("require").unwrap().whole(1, 2), None);
        assert!(fields.get("every").is_none() && fields.get("timeout").is_none());
    }
    let (faults, warnings) = sink.finish("f", |mark| document.line(mark));
    assert_eq!(
        faults.unwrap().to_string(),
        "f:3: groups.node.checks: a list is not a text; write one, in quotes if it has special characters\n\
         f:4: groups.node.require: 'lots' is not a whole number; write a whole number from 1 to 2\n\
         f:8: groups.web: '5' is not a map; write lines such as 'name: value', indented below the key"
    );
    assert!(
        warnings[0]
            .to_string()
            .starts_with("f:6: groups.node.tiemout: there is no such setting")
    );
    assert!(warnings[0].to_string().ends_with("did you mean timeout?"));
}
