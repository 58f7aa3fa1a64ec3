//! Behaviour of the whole way from text to settings.

mod hostile;
mod logins;
mod secrets;
mod services;

use std::time::Duration;

use super::*;
use crate::net::Network;
use crate::os::file_limit::FileLimit;
use crate::os::logging::LogPath;
use crate::probe::Header;
use crate::settings::{Document, FaultSink, Reader, list};

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
fn a_file_without_settings_gives_the_defaults() {
    for text in [
        "",
        "\n",
        "# nothing\n",
        "---\n",
        "---\n...\n",
        "null\n",
        "~",
        "{}",
        "\u{feff}",
        "\u{feff}# x\r\n",
    ] {
        assert_eq!(good(text), Config::default(), "{text:?}");
    }
}

#[test]
fn null_means_unset_for_every_key() {
    for setting in settings() {
        for null in ["null", "~", "", "NULL"] {
            assert_eq!(
                good(&format!("{}: {null}\n", setting.name)),
                Config::default(),
                "{}",
                setting.name
            );
        }
    }
}

#[test]
fn every_form_of_yaml_works() {
    for text in [
        "cache_time: 3",
        "---\ncache_time: 3\n...\n",
        "{cache_time: 3}",
        "{\"cache_time\": 3}",
        "'cache_time': \"3\"\r\n",
        "? cache_time\n: 3\n",
        "%YAML 1.1\n---\ncache_time: !!int \"3\"\n",
        "<<: {cache_time: 3}",
        "<<: [{cache_time: 3}, {cache_time: 4}]",
        "cache_time:\t3 # soon\n",
    ] {
        assert_eq!(
            good(text).check.cache_time,
            Some(Duration::from_secs(3)),
            "{text:?}"
        );
    }
    let aliased = good("cache_time: &t 2\nhealthcheck_timeout: *t\n");
    assert_eq!(aliased.probe.healthcheck_timeout, Duration::from_secs(2));
    assert_eq!(
        good("cache_time: 5\n<<: {cache_time: 3}\n")
            .check
            .cache_time,
        Some(Duration::from_secs(5))
    );
}

#[test]
fn booleans_are_those_of_yaml_1_1_quoted_or_not() {
    for (words, expected) in [
        (["yes", "ON", "True", "y", "1"], true),
        (["no", "Off", "FALSE", "N", "0"], false),
    ] {
        for word in words {
            for text in [word.to_owned(), format!("'{word}'"), format!("\"{word}\"")] {
                assert_eq!(
                    good(&format!("tls_verify: {text}")).probe.tls_verify,
                    expected,
                    "{text}"
                );
            }
        }
    }
    for word in ["maybe", "2", "[true]", "{a: 1}", "''", "1.0"] {
        assert!(
            bad(&format!("tls_verify: {word}"))
                .contains("is neither yes nor no; write true or false"),
            "{word}"
        );
    }
}

#[test]
fn numbers_may_be_quoted_and_must_be_in_range() {
    assert_eq!(
        good("healthcheck_timeout: \"0.5\"")
            .probe
            .healthcheck_timeout,
        Duration::from_millis(500)
    );
    assert_eq!(
        good("healthcheck_timeout: 1e1").probe.healthcheck_timeout,
        Duration::from_secs(10)
    );
    assert_eq!(
        good("healthcheck_timeout: 86400").probe.healthcheck_timeout,
        Duration::from_secs(86_400)
    );
    assert_eq!(good("max_clients: '1_000'").probe.max_clients, 1000);
    assert_eq!(good("max_clients: 20.0").probe.max_clients, 20);
    assert_eq!(
        good("rlimit_nofile: 512.0").daemon.rlimit_nofile,
        Some(FileLimit::Number(512))
    );
    for number in [
        "0",
        "-1",
        "2.9",
        "1000001",
        "99999999999999999999999",
        "08",
        "0x",
        "0x-8",
        "0b2",
        "",
        "ten",
        "[1]",
        "1e3",
        "_",
        "+",
        ".0",
        "010.0",
        "1.0.0",
    ] {
        bad(&format!("max_clients: '{number}'"));
    }
    for number in [
        "-1", "86401", ".inf", ".nan", "nan", "1e-20", "10s", "1:30", "--1", "[1]", "0xfffff",
        "1e999",
    ] {
        bad(&format!("healthcheck_timeout: {number}"));
    }
}

#[test]
fn cache_time_is_nothing_some_or_for_ever() {
    assert_eq!(good("cache_time: 0").check.cache_time, Some(Duration::ZERO));
    assert_eq!(
        good("cache_time: 0.25").check.cache_time,
        Some(Duration::from_millis(250))
    );
    for for_ever in [
        ".inf",
        ".INF",
        "+.inf",
        "'inf'",
        "1e300",
        "99999999999999999999",
    ] {
        assert_eq!(
            good(&format!("cache_time: {for_ever}")).check.cache_time,
            None,
            "{for_ever}"
        );
    }
    assert_eq!(
        bad("cache_time: -1"),
        "f:1: cache_time: '-1' is less than 0; write a number of seconds, 0 for no caching, or .inf to keep results for ever"
    );
    assert!(bad("cache_time: -.inf").contains("less than 0"));
    assert!(bad("cache_time: .nan").contains("is not a number"));
}

#[test]
fn texts_stay_exactly_as_written() {
    for (yaml, text) in [
        ("12345", "12345"),
        ("007", "007"),
        ("1_0", "1_0"),
        ("0x1F", "0x1F"),
        ("1.50", "1.50"),
        ("yes", "yes"),
        ("True", "True"),
        ("'null'", "null"),
        ("!!str null", "null"),
        ("''", ""),
        ("2026-01-01", "2026-01-01"),
        ("\"a\\\"b\\u00e9\"", "a\"b\u{e9}"),
        ("p#x:y", "p#x:y"),
        ("|\n  two\n  lines", "two\nlines"),
        (
            "99999999999999999999999999999999999999999999",
            "99999999999999999999999999999999999999999999",
        ),
    ] {
        let config = good(&format!("mysql_username: u\nmysql_password: {yaml}"));
        assert_eq!(
            config.probe.mysql_password.unwrap().reveal(),
            text,
            "{yaml}"
        );
    }
    assert_eq!(
        good("mysql_username: ''\nmysql_password: ''")
            .probe
            .mysql_username
            .as_deref(),
        Some("")
    );
    assert_eq!(
        good("mysql_username: 12\nmysql_password: x")
            .probe
            .mysql_username
            .as_deref(),
        Some("12")
    );
}

#[test]
fn headers_are_names_that_may_be_passed_on() {
    assert_eq!(
        good("http_headers_to_copy: X-A").probe.http_headers_to_copy,
        [Header::parse("X-A").unwrap()]
    );
    assert_eq!(
        list(
            &good("http_headers_to_copy: [X-A, Host, x-a]")
                .probe
                .http_headers_to_copy
        ),
        "[X-A, Host]"
    );
    assert!(
        good("http_headers_to_copy: []")
            .probe
            .http_headers_to_copy
            .is_empty()
    );
    assert_eq!(
        good("service_name_header: X-Service")
            .probe
            .service_name_header,
        Header::parse("X-Service")
    );
    for name in ["'a b'", "'x:'", "[a]", "{a: b}", "~", "é"] {
        assert!(
            bad(&format!("http_headers_to_copy: [{name}]")).contains("is not the name of a header"),
            "{name}"
        );
    }
    assert!(bad("service_name_header: 'X Y'").contains("is not the name of a header"));
}

#[test]
fn headers_that_cannot_be_passed_on_are_left_out_with_a_warning() {
    for name in [
        "Connection",
        "proxy-authorization",
        "TE",
        "content-length",
        "''",
    ] {
        let text = format!("http_headers_to_copy: [Host, {name}, X-A]");
        let copied = taken(&text).probe.http_headers_to_copy;
        assert_eq!(list(&copied), "[Host, X-A]", "{name}");
        let warnings = warned(&text);
        let name = name.trim_matches('\'');
        let told = format!("f:1: http_headers_to_copy: '{name}' ");
        assert!(
            warnings.len() == 1 && warnings[0].starts_with(&told),
            "{warnings:?}"
        );
    }
    let none = "http_headers_to_copy: \"\"";
    assert_eq!(taken(none).probe.http_headers_to_copy, []);
    assert!(warned(none)[0].contains("write [] to pass on none"));
    let own = "service_name_header: Connection";
    assert_eq!(taken(own).probe.service_name_header, None);
    assert!(warned(own)[0].contains("belongs to one connection"));
}

#[test]
fn numbers_in_other_bases_are_read_as_yaml_1_1_has_them() {
    for (written, value) in [
        ("010", 8),
        ("+010", 8),
        ("0_10", 8),
        ("0x1F", 31),
        ("0b11", 3),
        ("0777", 511),
    ] {
        let text = format!("max_clients: {written}\ncache_time: {written}\nmax_body: {written}\n");
        let config = taken(&text);
        assert_eq!(config.probe.max_clients, value, "{written}");
        let seconds = Duration::from_secs(value as u64);
        assert_eq!(config.check.cache_time, Some(seconds), "{written}");
        assert_eq!(config.probe.max_body, value, "{written}");
        let told = format!(": '{written}' is read as {value}, as YAML 1.1 has it; ");
        let warnings = warned(&text);
        assert!(
            warnings.len() == 3 && warnings.iter().all(|w| w.contains(&told)),
            "{warnings:?}"
        );
    }
    let ports = taken("allowed_ports: [010, 0100]");
    assert_eq!(list(&ports.probe.allowed_ports), "[\"8\", \"64\"]");
    // Modes of files have always been octal, and texts stay as they are written.
    assert_eq!(
        taken("listen_unix_mode: 0660").daemon.listen_unix_mode,
        0o660
    );
    assert!(
        warned("max_clients: 10\ncache_time: 0\nlisten_unix: /s\nlisten_unix_mode: 0660")
            .is_empty()
    );
}

#[test]
fn a_timeout_of_zero_is_the_default_with_a_warning() {
    for zero in ["0", "0.0", "'0'", "-0", "00"] {
        let text = format!("healthcheck_timeout: {zero}\n");
        let timeout = taken(&text).probe.healthcheck_timeout;
        assert_eq!(timeout, Duration::from_secs(10), "{zero}");
        assert!(
            warned(&text)[0].contains("0 is no deadline, so the default of 10 s holds"),
            "{zero}"
        );
    }
}

#[test]
fn networks_may_be_words() {
    let network = |t| Network::parse(t).unwrap();
    assert_eq!(
        good("check_hosts: private").probe.check_hosts,
        Network::private()
    );
    assert_eq!(
        good("check_hosts: any").probe.check_hosts,
        [network("0.0.0.0/0"), network("::/0")]
    );
    assert_eq!(good("check_hosts: []").probe.check_hosts, []);
    let mixed = good("check_hosts:\n- private\n- 203.0.113.0/24\n- 2001:db8::1\n")
        .probe
        .check_hosts;
    assert_eq!(mixed.len(), Network::private().len() + 2);
    assert_eq!(
        bad("check_hosts:\n- 10.0.0.0/8\n- 10.0.0.0/33\n- nonsense\n"),
        "f:3: check_hosts: '10.0.0.0/33' is not a network; write one such as 10.0.0.0/8, or 'private', or 'any'\n\
         f:4: check_hosts: 'nonsense' is not a network; write one such as 10.0.0.0/8, or 'private', or 'any'"
    );
}

#[test]
fn sizes_take_units() {
    for (text, bytes) in [
        ("4096", 4096),
        ("'4096'", 4096),
        ("8MiB", 8 << 20),
        ("8m", 8 << 20),
        ("1 GiB", 1 << 30),
        ("2k", 2048),
    ] {
        assert_eq!(
            good(&format!("max_body: {text}")).probe.max_body,
            bytes,
            "{text}"
        );
    }
    for text in [
        "0",
        "2GiB",
        "8MB",
        "-1",
        "1.5m",
        "k",
        "99999999999999999999999g",
        "18446744073709551615k",
    ] {
        bad(&format!("max_body: {text}"));
    }
}

#[test]
fn logs_and_limits_take_their_words() {
    assert_eq!(good("log_path: stdout").log.log_path, LogPath::Stdout);
    assert_eq!(
        good("log_path: log/x").log.log_path,
        LogPath::File("log/x".into())
    );
    for (word, level) in [
        ("warning", log::LevelFilter::Warn),
        ("OFF", log::LevelFilter::Off),
        ("trace", log::LevelFilter::Trace),
    ] {
        assert_eq!(good(&format!("log_level: {word}")).log.log_level, level);
    }
    bad("log_level: loud");
    assert_eq!(
        good("rlimit_nofile: max").daemon.rlimit_nofile,
        Some(FileLimit::Max)
    );
    assert_eq!(
        good("rlimit_nofile: '519'").daemon.rlimit_nofile,
        Some(FileLimit::Number(519))
    );
    assert_eq!(
        bad("rlimit_nofile: lots"),
        "f:1: rlimit_nofile: 'lots' is not a whole number; write a whole number from 64 to 2147483648 or 'max'"
    );
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
fn of_a_key_that_stands_twice_the_last_counts_with_a_warning_at_any_depth() {
    let text = "cache_time: 1\n\ncache_time: 2\n";
    assert_eq!(
        warned(text),
        ["f:3: cache_time: stands already in line 1; the last one counts, so remove the other"]
    );
    assert_eq!(taken(text).check.cache_time, Some(Duration::from_secs(2)));
    let nested = "services:\n  web: {timeout: 1}\n  web: {timeout: 2,\n   timeout: 3}\n";
    let warnings = warned(nested);
    assert!(
        warnings[0].starts_with("f:3: services.web: stands already in line 2;")
            && warnings[1].starts_with("f:4: services.web.timeout: stands already in line 3;"),
        "{warnings:?}"
    );
    let timeout = taken(nested).probe.services["web"].timeout;
    assert_eq!(timeout, Some(Duration::from_secs(3)));
    // What is overridden is not looked at, as in Yelp's hacheck.
    assert_eq!(
        warned("cache_time: soon\ncache_time: 1\ncache_time: 2").len(),
        2
    );
    assert!(
        warned("x: [{a: {b: 1,\n b: 2}}]")[1].starts_with("f:2: x.a.b: stands already in line 1;")
    );
    let merged = "x: &x {timeout: 1}\ny: &y {timeout: 2}\nservices: {web: {<<: *x, <<: *y}}";
    let timeout = taken(merged).probe.services["web"].timeout;
    assert_eq!(timeout, Some(Duration::from_secs(2)));
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
