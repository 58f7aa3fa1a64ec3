//! Downtimes of instances hold by whatever name the host is asked for.

use crate::support::TempDir;
use crate::support::client::Response;
use crate::support::daemon::Daemon;
use crate::support::namespace;
use crate::support::upstream::Upstream;

/// Other names of this host that need no look-up, besides its own.
const NAMES: [&str; 6] = [
    "127.0.0.1",
    "LocalHost",
    "127.1",
    "2130706433",
    "0x7f.1",
    "::ffff:127.0.0.1",
];

const DOWN: &str = "Service web in down state";

/// One that only its look-up shows to be of this host.
const ALIAS: &str = "alias.test";

fn ask(daemon: &Daemon, protocol: &str, host: &str, port: u16) -> Response {
    let state = format!("UP; address={host}; port={port}; name=web/s1; node=lb1");
    let headers = [("X-Haproxy-Server-State", state.as_str())];
    daemon.get_with(&format!("/{protocol}/web/1/"), &headers)
}

#[test]
fn a_downtime_of_an_instance_on_this_host_holds_for_every_name_of_this_host() {
    let service = Upstream::answering("ok");
    let port = service.port();
    let daemon = Daemon::with_config("check_hosts: any\ncache_time: 300\n");
    let own = nix::unistd::gethostname().unwrap();
    for host in NAMES {
        ask(&daemon, "http", host, port).is(200, "ok");
    }
    let instance = format!("web:{port}");
    daemon
        .spool
        .run("hadown", &["-r", "disk", &instance])
        .is(0, "");
    let others = [own.to_str().unwrap(), "localhost.", "127.0.0.2", "0.0.0.0"];
    for host in NAMES.into_iter().chain(others) {
        for protocol in ["http", "tcp", "spool"] {
            ask(&daemon, protocol, host, port).says(503, DOWN);
        }
    }
    ask(&daemon, "spool", "10.9.9.9", port).is(200, "");
    ask(&daemon, "spool", "localhost", port ^ 1).is(200, "");
}

#[test]
fn it_holds_for_a_name_that_only_its_look_up_shows_to_be_of_this_host() {
    let folder = TempDir::new();
    namespace::on_host(folder.path(), "127.0.0.1 alias.test\n", &[], |host| {
        if !host.is_separate() {
            eprintln!("names are not ours to give without a network of our own");
            return;
        }
        let service = Upstream::answering("ok");
        let port = service.port();
        let daemon = Daemon::with_config("cache_time: 300\n");
        ask(&daemon, "http", ALIAS, port).is(200, "ok");
        let instance = format!("web:{port}");
        daemon
            .spool
            .run("hadown", &["-r", "disk", &instance])
            .is(0, "");
        // The stored result says it, and so does a new one.
        ask(&daemon, "http", ALIAS, port).says(503, DOWN);
        ask(&daemon, "tcp", ALIAS, port).says(503, DOWN);
        // The spool alone looks nothing up.
        ask(&daemon, "spool", ALIAS, port).is(200, "");
        daemon.spool.run("haup", &[&instance]).is(0, "");
        ask(&daemon, "http", ALIAS, port).is(200, "ok");
    });
}

#[test]
fn a_downtime_of_an_instance_by_its_host_as_written_holds_for_that_spelling() {
    let daemon = Daemon::with_config("cache_time: 0\n");
    let spool = &daemon.spool;
    spool
        .run("hadown", &["-r", "x", "web:127.0.0.2:80"])
        .is(0, "");
    for (host, status) in [
        ("127.0.0.2", 503),
        ("2130706434", 503),
        ("127.0.0.1", 200),
        ("localhost", 200),
    ] {
        assert_eq!(ask(&daemon, "spool", host, 80).status, status, "{host}");
    }
}
