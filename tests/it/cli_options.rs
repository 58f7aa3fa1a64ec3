//! The spellings of options, and what happens to wrong ones.

use crate::support::{Spool, run};

#[test]
fn every_spelling_writes_the_same_file() {
    for args in [
        &["-r", "why", "-e", "4000000000", "-P", "80", "web"][..],
        &["-rwhy", "-e4000000000", "-P80", "web"],
        &[
            "--reason=why",
            "--expiration=4000000000",
            "--service-port=80",
            "web",
        ],
        &[
            "web",
            "--reason",
            "why",
            "--expiration",
            "4e9",
            "--service-port",
            "80",
        ],
        &[
            "--reas",
            "why",
            "--exp",
            "4000000000",
            "--service-p=80",
            "--",
            "web",
        ],
        &["-r", "first", "-r", "why", "-e4e9", "-P", "80", "web"],
    ] {
        let spool = Spool::new();
        spool.run("hadown", args).code_is(0);
        assert_eq!(spool.files(), ["web:80"], "{args:?}");
        let json = spool.json("web:80");
        assert_eq!(
            (&json["reason"], json["expiration"].as_f64()),
            (&"why".into(), Some(4e9)),
            "{args:?}"
        );
    }
}

#[test]
fn values_may_look_like_options() {
    for reason in ["--a=b", "-5", "--", "--reason", "-h", "--version"] {
        let spool = Spool::new();
        spool.run("hadown", &["-r", reason, "web"]).is(0, "");
        assert_eq!(spool.json("web")["reason"], reason);
    }
    let spool = Spool::new();
    spool
        .run("hadown", &["-e", "-5", "-r", "x", "web"])
        .is_with(0, "", "note: the expiration is in the past");
}

#[test]
fn a_wrong_option_is_named_with_the_nearest() {
    let expected = "hadown: unknown option --expiratoin; did you mean --expiration?\nusage: hadown [options] SERVICE...\n";
    run("hadown", &["--expiratoin", "5", "web"]).is_with(2, "", expected);
    run("hacheck", &["down", "-x", "web"]).is_with(
        2,
        "",
        "hacheck down: unknown option -x; see --help\nusage: hacheck down [options]",
    );
    run("haup", &["--s", "x"]).is_with(
        2,
        "",
        "ambiguous: --spool-root, --service-port, --service-host",
    );
    run("hadown", &["web", "-r"]).is_with(2, "", "option -r needs a value");
    run("hacheck", &["--verbose=yes"]).is_with(2, "", "option --verbose takes no value");
}

#[test]
fn wrong_values_exit_2_and_write_nothing() {
    for (args, part) in [
        (
            &["-e", "tomorrow", "web"][..],
            "-e: \"tomorrow\" is not a unix time",
        ),
        (&["-e", "nan", "web"], "-e:"),
        (&["-e", "-inf", "web"], "-e:"),
        (&["-e", "1e999", "web"], "-e:"),
        (&["-P", "http", "web"], "-P: 'http' is not a port"),
        (&["-P", "0x50", "web"], "-P:"),
        (&["-P", "+80", "web"], "-P:"),
        (&["-P", "65536", "web"], "-P:"),
        (&["--service-port=-5", "web"], "-P:"),
        (&["-p", "daemon", "web"], "-p:"),
        (&["-H", "10.0.0.7", "web"], "needs the service's port"),
        (&["-P", "80", "-H", "a/b", "web"], "'a/b' is not a host"),
        (
            &["-a", "sideways", "web"],
            "-a: \"sideways\" is not an action",
        ),
        (&["-P", "80", "web:81"], "names its port already"),
        (
            &["-P", "80", "-H", "10.0.0.7", "web:81"],
            "names its port already",
        ),
        (&["-o", "json", "web"], "-o:"),
        (
            &["--for", "90", "web"],
            "--for: 90 lacks a unit; 90m is minutes",
        ),
        (&["--for", "99999999999999999999w", "web"], "too long"),
        (&["--until", "2001-01-01", "web"], "is in the past"),
        (&["--until", "25:00", "web"], "is not a time"),
        (
            &["--until", "18:00", "--for", "2h", "web"],
            "at most one of -e, --for and --until",
        ),
        (&["-e", "5", "--for", "2h", "web"], "at most one of"),
        (&[], "name at least one service"),
        (&["-a", "list", "web"], "\"web\" has no place here"),
    ] {
        let spool = Spool::new();
        let ran = spool.run("hadown", &[&["-r", "x"], args].concat());
        ran.is_with(2, "", part);
        assert!(
            ran.err.ends_with("usage: hadown [options] SERVICE...\n"),
            "{args:?}: {}",
            ran.err
        );
        assert_eq!(spool.files(), [""; 0], "{args:?}");
    }
}

#[test]
fn options_that_say_when_a_downtime_ends_belong_to_hadown() {
    let spool = Spool::new();
    for name in ["haup", "hastatus"] {
        spool
            .run(name, &["--for", "2h", "web"])
            .is_with(2, "", "only hadown takes them");
    }
    spool
        .run("haup", &["-a", "down", "--for", "2h", "-r", "x", "web"])
        .is(0, "");
}

#[test]
fn every_name_can_do_what_the_others_do() {
    for name in ["haup", "hadown", "hastatus", "hashowdowned", "halist"] {
        let spool = Spool::new();
        spool.run(name, &["-a", "down", "-r", "x", "web"]).is(0, "");
        spool
            .run(name, &["-a", "status", "web"])
            .is(1, "DOWN\tinf\tweb\tx\n");
        spool
            .run(name, &["--action=status_downed"])
            .is(0, "DOWN\tinf\tweb\tx\n");
        spool.run(name, &["-aup", "web"]).is(0, "");
        assert_eq!(spool.files(), [""; 0], "{name}");
    }
}

#[test]
fn names_that_are_no_names_exit_2_before_anything_is_changed() {
    let long = "x".repeat(256);
    for bad in [
        "../x",
        "a/b",
        "/etc/passwd",
        "",
        ".",
        "..",
        &long,
        "a\nb",
        "a\tb",
        "a\u{7f}",
        "web:http",
        "web:",
        ":80",
    ] {
        for name in ["hadown", "haup", "hastatus"] {
            let spool = Spool::new();
            spool.put("mail", "stays");
            spool.run(name, &["-r", "x", "mail", bad]).is_with(
                2,
                "",
                &format!("{name}: service {bad:?}: "),
            );
            assert_eq!(spool.files(), ["mail"], "{name} {bad:?}");
            assert_eq!(
                std::fs::read_to_string(spool.path("mail")).unwrap(),
                "stays",
                "{name} {bad:?}"
            );
            assert_eq!(
                std::fs::read_dir(spool.outside()).unwrap().count(),
                1,
                "{name} {bad:?} wrote outside"
            );
        }
    }
}

#[test]
fn what_was_taken_for_the_reason_is_told_where_no_service_is_left() {
    let spool = Spool::new();
    let ran = spool.run("hadown", &["-r", "web"]);
    ran.is_with(
        2,
        "",
        "'all'; \"web\" was taken as the reason, which follows -r",
    );
    assert!(spool.files().is_empty());
}
