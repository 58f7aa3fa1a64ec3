//! `services`: which entry wins.

use super::*;
use crate::probe::Service;

/// Settings of every kind on every level.
const CLASH: &str = r#"
healthcheck_timeout: 10
login_to: [local]
tls_verify: false
tls_ca_file: /global.pem
services:
  "*":
    timeout: 5
    socket: /run/all.sock
    http: {status: 200, body_contains: all, body_regex: all, method: POST, request_headers: {X-A: all}}
    login: {username: all, password: all, database: all}
    login_to: ["local:1"]
    tls: {verify: true, ca_file: /all.pem, cert_file: /all.cert, key_file: /all.key, server_name: all.example, starttls: true}
    proxy_protocol: v1
    script: [{send: "USER all\r\nPASS of-all\r\n", expect: ^230}]
  "db-*":
    timeout: 4
    http: {status: 201, body_contains: pattern}
    login: {username: pattern, password: pattern}
    login_to: ["local:2"]
    tls: {verify: false, ca_file: /pattern.pem, server_name: pattern.example}
    proxy_protocol: v2
    script: [{expect: ^220}]
  "db-east-*":
    timeout: 3
    http: {body_regex: longer}
    login: {database: longer}
    tls: {ca_file: /longer.pem}
  db-east-1:
    http: {method: GET}
    login: {username: own}
    tls: {server_name: own.example}
  db-off: {login: off, tls: off}
"#;

fn merged(name: &str) -> Service {
    let loaded = parse(CLASH.as_bytes(), "f").unwrap();
    loaded.config.probe.merged(name)
}

#[test]
fn the_most_exact_entry_wins_key_by_key() {
    for (name, shown) in [
        (
            "web",
            "{timeout: 5, socket: /run/all.sock, http: {status: [200], body_contains: all, body_regex: all, \
             request_headers: {X-A: \"***\"}, method: POST}, login: {username: all, password: \"***\", database: all}, \
             login_to: [\"local:1\"], tls: {verify: true, ca_file: /all.pem, cert_file: /all.cert, key_file: /all.key, \
             server_name: all.example, starttls: true}, script: [{send: \"***\", expect: \"^230\"}], proxy_protocol: v1}",
        ),
        (
            "db-1",
            "{timeout: 4, socket: /run/all.sock, http: {status: [201], body_contains: pattern, body_regex: all, \
             request_headers: {X-A: \"***\"}, method: POST}, \
             login: {username: pattern, password: \"***\", database: all}, login_to: [\"local:2\"], \
             tls: {verify: false, ca_file: /pattern.pem, cert_file: /all.cert, key_file: /all.key, \
             server_name: pattern.example, starttls: true}, script: [{expect: \"^220\"}], proxy_protocol: v2}",
        ),
        (
            "db-east-1",
            "{timeout: 3, socket: /run/all.sock, http: {status: [200], body_contains: all, body_regex: longer, \
             request_headers: {X-A: \"***\"}, method: GET}, \
             login: {username: own, password: \"***\", database: longer}, login_to: [\"local:1\"], \
             tls: {verify: true, ca_file: /longer.pem, cert_file: /all.cert, key_file: /all.key, \
             server_name: own.example, starttls: true}, script: [{send: \"***\", expect: \"^230\"}], proxy_protocol: v1}",
        ),
    ] {
        assert_eq!(merged(name).show(), shown, "{name}");
    }
    let off = merged("db-off").show();
    assert!(
        off.contains("login: off") && off.contains("tls: off"),
        "{off}"
    );
}

#[test]
fn a_service_without_an_entry_has_the_global_settings() {
    let text = "healthcheck_timeout: 7\nlogin_to: [10.0.0.0/8]\nservices: {web: {timeout: 1}}\n";
    let loaded = parse(text.as_bytes(), "f").unwrap();
    let other = loaded.config.probe.merged("other");
    assert_eq!(other.show(), "{timeout: 7, login_to: [\"10.0.0.0/8\"]}");
}

#[test]
fn secrets_of_services_are_kept_from_messages_and_programs() {
    let settings = parse(CLASH.as_bytes(), "f").unwrap().config.probe;
    let secrets = settings.secrets();
    for secret in ["pattern", "of-all"] {
        assert!(secrets.contains(&secret), "{secret}");
    }
    assert!(!secrets.contains(&"PASS"));
    let twice = "services: {web: {login: {password: {hunter2: 1, hunter2: 2}}}}\n";
    let faults = parse(twice.as_bytes(), "f").unwrap_err().to_string();
    assert!(!faults.contains("hunter2"), "{faults}");
}
