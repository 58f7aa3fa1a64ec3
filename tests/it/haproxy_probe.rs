//! `haproxy`, against a real one and peers that misbehave.

use std::fs;
use std::net::TcpListener;
use std::process::Command;

use hacheck::probe::ProbeSettings;

use crate::support::TempDir;
use crate::support::checks::{check, check_with, fails_on_misbehaving_peers, scripted};
use crate::support::server::{Server, free_port, require};

#[test]
fn a_real_haproxy_tells_its_backends_states() {
    require("/usr/sbin/haproxy", "haproxy");
    let up = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let (folder, port, down) = (TempDir::new(), free_port(), free_port());
    let other = free_port();
    let config = folder.path().join("haproxy.cfg");
    let text = format!(
        "defaults\n mode http\n timeout connect 1s\n timeout client 5s\n timeout server 5s\n\
         frontend stats\n bind 127.0.0.1:{port}\n stats enable\n stats uri /\n\
         frontend elsewhere\n bind 127.0.0.1:{other}\n stats enable\n stats uri /admin/stats\n\
         backend web\n server s1 {} check inter 100ms\n\
         backend db\n server s1 127.0.0.1:{down} check inter 100ms fall 1\n",
        up.local_addr().unwrap()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/sbin/haproxy");
    command.arg("-db").arg("-f").arg(config);
    let server = Server::start(folder, &command);
    let ask = |name: &str| check(&format!("/haproxy/{name}/{port}"));
    server.wait_for("the backend db is DOWN", || ask("db").body == "db is DOWN");
    ask("db").is(500, "db is DOWN");
    ask("web").is(200, "web is UP");
    ask("other").is(500, "other is not found");
    ask("stats").is(500, "stats is not found");
    for path in ["admin/stats", "admin/stats;csv", "admin/stats?x=1"] {
        check(&format!("/haproxy/web/{other}/{path}")).is(200, "web is UP");
        check(&format!("/haproxy/db/{other}/{path}")).is(500, "db is DOWN");
    }
    check(&format!("/haproxy/web/{other}")).has(503, "");
}

#[test]
fn the_statistics_pages_own_errors_are_passed_on() {
    let port = scripted(
        b"",
        &[b"HTTP/1.0 401 Unauthorized\r\nContent-Length: 3\r\n\r\nwho"],
    );
    check(&format!("/haproxy/web/{port}")).is(401, "who");
    let port = scripted(
        b"",
        &[b"HTTP/1.0 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"],
    );
    check(&format!("/haproxy/web/{port}")).has(503, "/;csv answered 302 Found");
}

#[test]
fn a_page_that_is_cut_is_not_taken_for_the_whole() {
    let page = b"HTTP/1.0 200 OK\r\n\r\n# pxname,svname,status\ndb,BACKEND,UP\nweb,BACKEND,UP\n";
    let check = |name| {
        let port = scripted(b"", &[page]);
        check_with(
            ProbeSettings {
                max_body: 40,
                ..ProbeSettings::default()
            },
            &format!("/haproxy/{name}/{port}"),
        )
    };
    check("db").is(200, "db is UP");
    check("web").has(503, "/;csv is longer than max_body and cut before web");
}

#[test]
fn misbehaving_peers_fail_the_check() {
    fails_on_misbehaving_peers(
        "haproxy",
        b"HTTP/1.0 200 OK\r\nCont",
        "waiting for the answer",
        "waiting for the answer",
    );
}
