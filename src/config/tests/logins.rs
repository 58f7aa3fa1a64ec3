//! Where passwords may go, and what is told of it.

use super::{bad, good, warned};
use crate::config::parse;
use crate::net::LoginTo;

const REDIS: &str = "redis_password: hunter2\n";
const MYSQL: &str = "mysql_username: u\nmysql_password: hunter2\n";
const POSTGRES: &str = "postgres_username: u\npostgres_password: hunter2\n";

fn notes(text: &str) -> Vec<String> {
    parse(text.as_bytes(), "f").unwrap().notes
}

#[test]
fn places_to_log_in_to_are_listed() {
    assert_eq!(good("").probe.login_to, [LoginTo::LOCAL]);
    assert_eq!(good("login_to: []").probe.login_to, []);
    assert_eq!(good("login_to: local").probe.login_to, [LoginTo::LOCAL]);
    assert_eq!(
        bad("login_to:\n- local\n- db.example:3306\n- any\n"),
        "f:3: login_to: 'db.example:3306' is no place to log in to; write local, local:3307, 10.0.0.0/8, 10.0.0.0/8:6379 \
         or \"[fd00::/8]:6379\"\n\
         f:4: login_to: 'any' is no place to log in to; write local, local:3307, 10.0.0.0/8, 10.0.0.0/8:6379 or \"[fd00::/8]:6379\""
    );
}

#[test]
fn credentials_without_login_to_are_worth_a_line_that_names_the_ports() {
    assert_eq!(
        notes(&format!("{REDIS}postgres_username: u\n")),
        [
            "login_to is not set, so checks log in at this host's own addresses only, and there at: postgres port 5432, \
             redis port 6379, redis-info port 6379, sentinel port 26379, sentinel-info port 26379; list other places, or \
             [local], in login_to"
        ]
    );
    assert!(notes(MYSQL)[0].contains("mysql port 3306;"));
    for text in [
        "",
        "mysql_username: u\n",
        "postgres_password: hunter2\n",
        &format!("{REDIS}login_to: [local]\n"),
        &format!("{REDIS}login_to: []\n"),
    ] {
        assert!(notes(text).is_empty(), "{text}");
    }
}

#[test]
fn a_credential_in_request_headers_is_a_login() {
    let rule = |header: &str| {
        format!("services: {{web: {{http: {{request_headers: {{{header}: x}}}}}}}}\n")
    };
    let said = notes(&rule("authorization"));
    assert!(
        said[0].contains("http any port, https any port;"),
        "{said:?}"
    );
    assert!(notes(&rule("Host")).is_empty());
    let text = format!("{}login_to: [10.0.0.0/8]", rule("Authorization"));
    assert_eq!(
        warned(&text),
        [
            "f:2: login_to: a credential of request_headers goes to 10.0.0.0/8 in clear; ask by https, with tls_verify: true",
            "f:2: login_to: a credential of request_headers goes to 10.0.0.0/8 over TLS that is not verified, so to whoever \
             answers there; set tls_verify: true",
        ]
    );
}

#[test]
fn passwords_that_go_off_this_host_unprotected_are_warned_about() {
    for (text, said) in [
        (
            format!("{REDIS}login_to: [10.0.0.0/8]"),
            "f:2: login_to: redis_password goes to 10.0.0.0/8 in clear; set redis_tls: true and tls_verify: true",
        ),
        (
            format!("{REDIS}redis_tls: true\nlogin_to: [local, '10.1.2.3:6379']"),
            "f:3: login_to: redis_password goes to 10.1.2.3/32:6379 over TLS that is not verified, so to whoever answers \
             there; set tls_verify: true",
        ),
        (
            format!("{MYSQL}login_to: ['[fd00::/8]:3307']"),
            "f:3: login_to: mysql_password goes to [fd00::/8]:3307 without TLS, or with it only where the server chooses \
             so; set mysql_tls: required and tls_verify: true",
        ),
        (
            format!("{POSTGRES}postgres_tls: required\nlogin_to: [10.0.0.0/8]"),
            "f:4: login_to: postgres_password goes to 10.0.0.0/8 over TLS that is not verified, so to whoever answers \
             there; set tls_verify: true",
        ),
        (
            format!("{REDIS}groups: {{g: {{checks: ['redis://cache.example']}}}}"),
            "f:2: groups: redis_password goes to cache.example:6379 in clear; set redis_tls: true and tls_verify: true",
        ),
    ] {
        assert_eq!(warned(&text), [said]);
    }
}

#[test]
fn a_services_own_places_are_warned_about_too() {
    let own =
        |more: &str| format!("{REDIS}services: {{cache: {{login_to: ['10.0.0.0/8:6379']{more}}}}}");
    assert_eq!(
        warned(&own("")),
        [
            "f:2: services: cache: redis_password goes to 10.0.0.0/8:6379 in clear; set redis_tls: true and tls_verify: true"
        ]
    );
    let login = ", login: {username: u, password: sesame}";
    assert!(warned(&own(login))[0].contains("cache: a password of services goes to 10."));
    let verified = ", tls: {verify: true, ca_file: /etc/ssl/certs/ca-certificates.crt}";
    for quiet in [", login: off", verified] {
        assert_eq!(warned(&own(quiet)), [""; 0], "{quiet}");
    }
    // The global places are those of services without their own alone.
    let here = format!("{REDIS}services: {{cache: {{login_to: [local]}}}}");
    assert_eq!(warned(&here), [""; 0]);
}

#[test]
fn passwords_that_stay_here_or_are_protected_are_not_warned_about() {
    for text in [
        format!("{REDIS}login_to: [local, 'local:7000', 127.0.0.0/8, '[::1]:1']"),
        format!("{REDIS}login_to: [10.0.0.0/8]\nredis_tls: true\ntls_verify: true"),
        format!("{MYSQL}login_to: [10.0.0.0/8]\nmysql_tls: required\ntls_verify: true"),
        format!(
            "{REDIS}groups: {{g: {{checks: ['redis://localhost:7000', 'tcp://cache.example:1']}}}}"
        ),
        "redis_username: u\nlogin_to: [10.0.0.0/8]".to_owned(),
        "login_to: [10.0.0.0/8]".to_owned(),
    ] {
        assert_eq!(warned(&text), [""; 0], "{text}");
    }
}

#[test]
fn the_port_of_one_protocol_is_not_taken_for_anothers() {
    let text = format!("{REDIS}{MYSQL}mysql_tls: required\nlogin_to: ['10.0.0.0/8:3306']");
    let said = warned(&text);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("mysql_password goes to"), "{said:?}");
}
