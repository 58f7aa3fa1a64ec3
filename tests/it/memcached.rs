//! `memcached`, against a real one and peers that misbehave.

use std::process::Command;

use crate::support::TempDir;
use crate::support::checks::{check, fails_on_misbehaving_peers, scripted};
use crate::support::server::{Server, free_port, require};

#[test]
fn a_real_memcached_answers() {
    require("/usr/bin/memcached", "memcached");
    let port = free_port();
    let mut command = Command::new("/usr/bin/memcached");
    command.args(["-u", "nobody", "-l", "127.0.0.1", "-p", &port.to_string()]);
    let server = Server::start(TempDir::new(), &command);
    let path = format!("/memcached/cache/{port}");
    server.wait_for("memcached answers", || check(&path).status == 200);
    check(&path).has(200, "memcached 1.");
}

#[test]
fn anything_but_a_version_is_a_failure() {
    let port = scripted(b"", &[b"ERROR\r\n"]);
    check(&format!("/memcached/cache/{port}")).has(503, "sent version, got back \"ERROR\"");
}

#[test]
fn misbehaving_peers_fail_the_check() {
    fails_on_misbehaving_peers(
        "memcached",
        b"VERSION 1",
        "so far \"VERSION 1\"",
        "waiting for the answer to version",
    );
}
