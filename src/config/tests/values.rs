//! What single settings take and refuse.

use std::time::Duration;

use super::{bad, good, taken, warned};
use crate::net::Network;
use crate::os::file_limit::FileLimit;
use crate::os::logging::LogPath;
use crate::probe::Header;
use crate::settings::list;

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
