//! What YAML lets a file say, and in how many ways.

use std::time::Duration;

use super::{bad, good, taken, warned};
use crate::config::{Config, settings};
use crate::settings::list;

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
