use super::*;

#[test]
fn names_that_could_leave_the_spool_are_refused() {
    for bad in [
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        "a\nb",
        "a\0b",
        "a:b",
        "a~",
        &"x".repeat(256),
    ] {
        assert!(
            ServiceName::parse(bad).is_err(),
            "{bad:?} was taken as a service name"
        );
    }
    for good in ["web", "a.b", "...", "w-1_2", "café", &"x".repeat(255)] {
        assert!(ServiceName::parse(good).is_ok(), "{good:?} was refused");
    }
}

#[test]
fn the_first_colon_ends_the_service_and_the_last_begins_the_port() {
    for (text, host, port) in [
        ("web", None, None),
        ("web:80", None, Some(80)),
        ("web:10.0.0.7:8080", Some("10.0.0.7"), Some(8080)),
        ("web:::1:80", Some("::1"), Some(80)),
        ("web::80", None, Some(80)),
    ] {
        let key = Key::parse(text).unwrap();
        assert_eq!((key.host(), key.port()), (host, port), "{text}");
        assert_eq!(
            Key::parse(&key.file_name()).unwrap(),
            key,
            "{text} does not come back from its file name"
        );
    }
}

#[test]
fn instances_with_a_bad_port_or_host_are_refused() {
    for bad in [
        "web:",
        "web:http",
        "web:+80",
        "web:70000",
        "web:-5",
        "web:a/b:80",
        "web:a b:80",
        ":80",
    ] {
        assert!(Key::parse(bad).is_err(), "{bad:?} was taken as a key");
    }
}

#[test]
fn the_loopback_address_is_left_out_of_the_file_name() {
    let web = ServiceName::parse("web").unwrap();
    assert_eq!(
        Key::instance(web, Some("127.0.0.1"), 80)
            .unwrap()
            .file_name(),
        "web:80"
    );
}
