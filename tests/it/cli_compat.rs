//! What the commands of Yelp's hacheck did, and ours do too: spellings, bytes, abbreviations, odd files of the spool.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::support::daemon::Daemon;
use crate::support::{PATIENCE, Ran, Spool, wait_until};

/// Hosts as typed, and otherwise.
const SPELLINGS: [(&str, &str); 3] = [
    ("Web01.Example.com", "web01.example.COM"),
    ("2001:DB8::1", "2001:db8:0:0::1"),
    ("::ffff:10.0.0.7", "10.0.0.7"),
];

#[test]
fn an_instance_is_written_as_typed_and_found_by_what_its_host_means() {
    for (typed, other) in SPELLINGS {
        let spool = Spool::new();
        let here = |tool: &str, host: &str| spool.run(tool, &["-P", "80", "-H", host, "web"]);
        spool
            .run("hadown", &["-P", "80", "-H", typed, "-r", "disk", "web"])
            .is(0, "");
        assert_eq!(spool.files(), [format!("web:{typed}:80")]);
        here("hastatus", other).is(1, &format!("DOWN\tinf\tweb:{other}:80\tdisk\n"));
        spool
            .run("hashowdowned", &[])
            .is(0, &format!("DOWN\tinf\tweb:{typed}:80\tdisk\n"));
        // Another spelling takes its place.
        spool
            .run("hadown", &["-r", "disk", &format!("web:{other}:80")])
            .is(0, "");
        assert_eq!(spool.files(), [format!("web:{other}:80")]);
        here("haup", typed).is(0, "");
        assert!(spool.files().is_empty(), "{:?}", spool.files());
    }
}

#[test]
fn a_daemon_obeys_an_instance_whose_host_the_balancer_spells_otherwise() {
    for (typed, other) in SPELLINGS {
        let daemon = Daemon::start();
        daemon.spool.put(&format!("web:{typed}:80"), "disk");
        let state = format!("UP; address={other}; port=80; name=web/s1; node=lb1");
        let headers = [("X-Haproxy-Server-State", state.as_str())];
        wait_until(PATIENCE, &format!("{other} is down as {typed}"), || {
            daemon.get_with("/spool/web/0", &headers).status == 503
        });
        fs::remove_file(daemon.spool.path(&format!("web:{typed}:80"))).unwrap();
        wait_until(PATIENCE, &format!("{other} is up"), || {
            daemon.get_with("/spool/web/0", &headers).status == 200
        });
    }
}

#[test]
fn a_reason_that_is_no_utf_8_takes_the_service_down() {
    let spool = Spool::new();
    let mut command = spool.command("hadown", &["-r"]);
    let ran: Ran = command
        .arg(OsStr::from_bytes(b"gepr\xfcft"))
        .arg("web")
        .output()
        .unwrap()
        .into();
    ran.is(0, "");
    assert_eq!(spool.json("web")["reason"], "gepr\u{fffd}ft");
}

#[test]
fn leftovers_of_other_tools_are_in_no_list_but_hold_by_their_very_name() {
    let daemon = Daemon::start();
    for name in [
        ".gitkeep",
        "#web#",
        "web~",
        "web.swp",
        "web.dpkg-old",
        "web.rpmsave",
        "db",
    ] {
        daemon.spool.put(name, "x");
    }
    let downed = daemon.spool.run("hashowdowned", &[]);
    assert_eq!(
        (downed.out.as_str(), downed.err.as_str()),
        ("DOWN\tinf\tdb\tx\n", "")
    );
    daemon
        .get("/spool/web.rpmsave/0")
        .says(503, "Service web.rpmsave in down state: x");
    daemon.get("/spool/web/0").is(200, "");
}

#[test]
fn an_end_that_nobody_may_have_meant_is_told() {
    let daemon = Daemon::start();
    for (name, end, says) in [
        (
            "iso",
            "\"2020-01-01T00:00:00Z\"",
            "is no number of seconds of unix time",
        ),
        ("list", "[1]", "is no number of seconds of unix time"),
        (
            "millis",
            "1700000000000",
            "is more than 100 years ahead (milliseconds?)",
        ),
    ] {
        let text = format!(r#"{{"reason": "disk", "expiration": {end}, "creation": 1}}"#);
        daemon.spool.put(name, text);
        daemon.get(&format!("/spool/{name}/0")).says(503, "disk");
        let sentence = format!("its expiration {end} {says}; it holds until it is lifted");
        wait_until(PATIENCE, &format!("a warning: {sentence}"), || {
            let log = daemon.log();
            let in_log = |line: &str| line.contains("WARN") && line.contains(&sentence);
            // The log escapes nothing but control characters.
            log.lines().any(in_log)
        });
        let downed = daemon.spool.run("hashowdowned", &[]);
        let note = format!("'{name}': {sentence}");
        assert!(downed.err.contains(&note), "{note}: {downed:?}");
        let told = format!("{name}: {sentence}");
        wait_until(PATIENCE, &format!("{told} in /status"), || {
            let ends = daemon.status("/spool/odd_ends");
            ends.as_array().unwrap().contains(&told.as_str().into())
        });
    }
}

#[test]
fn a_host_needs_a_port_and_0_is_none() {
    let spool = Spool::new();
    for args in [
        &["-H", "10.0.0.1", "web"][..],
        &["-H", "10.0.0.1", "-P", "0", "web"],
    ] {
        let refused = spool.run("hastatus", args);
        refused.is_with(2, "", "-H needs the service's port too: give it with -P");
    }
}
