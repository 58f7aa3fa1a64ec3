//! `redis`, `sentinel` and their `-info`, against real servers and peers that misbehave.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Command;

use hacheck::probe::{ProbeSettings, Secret};

use crate::support::TempDir;
use crate::support::checks::{
    check, check_by, check_with, fails_on_misbehaving_peers, hasty, peer, scripted,
};
use crate::support::probing::anywhere_here;
use crate::support::server::{Server, certificate, free_port, require};

const PASSWORD: &str = "hunter2 \"ü\r\n$3";

/// Starts a Redis with further lines of configuration.
fn redis(folder: TempDir, port: u16, lines: &str) -> Server {
    require("/usr/bin/redis-server", "redis-server");
    start(
        folder,
        "/usr/bin/redis-server",
        &format!("bind 127.0.0.1\nport {port}\nsave \"\"\n{lines}\n"),
    )
}

fn start(folder: TempDir, program: &str, lines: &str) -> Server {
    let config = folder.path().join("server.conf");
    fs::write(&config, format!("dir {}\n{lines}", folder.path().display())).unwrap();
    let mut command = Command::new(program);
    command.arg(config);
    Server::start(folder, &command)
}

fn user(name: Option<&str>, password: &str) -> ProbeSettings {
    ProbeSettings {
        redis_username: name.map(str::to_owned),
        redis_password: Some(Secret::new(password.into())),
        login_to: anywhere_here(),
        ..ProbeSettings::default()
    }
}

/// A text in double quotes as redis.conf reads it.
fn in_conf(text: &str) -> String {
    let hex = |b: u8| format!("\\x{b:02x}");
    format!("\"{}\"", text.bytes().map(hex).collect::<String>())
}

#[test]
fn a_real_redis_pongs_and_tells_its_fields() {
    let port = free_port();
    let server = redis(TempDir::new(), port, "");
    server.wait_for("Redis pongs", || {
        check(&format!("/redis/cache/{port}")).status == 200
    });
    check(&format!("/redis/cache/{port}")).is(200, "Sent PING, got back +PONG");
    let info = |rest: &str| check(&format!("/redis-info/cache/{port}{rest}"));
    let whole = info("");
    let fields: serde_json::Value = serde_json::from_str(&whole.body).unwrap();
    assert_eq!(
        (whole.status, &fields["role"], &fields["tcp_port"]),
        (200, &"master".into(), &port.to_string().into())
    );
    assert_eq!(
        fields["cluster_enabled"], "0",
        "the last section is there too"
    );
    info("/match").has(200, "\"redis_version\":\"");
    info("/match?role=slave&redis_mode=stand%61lone")
        .is(200, "Match found: field redis_mode, value standalone");
    info("/match?role=slave").is(500, "No matching field found");
    info("/match?role=").is(500, "No matching field found");
    info("/match_all?role=master&redis_mode=standalone")
        .is(200, "All fields match: role, redis_mode");
    info("/match_all?role=slave&redis_mode=standalone").is(500, "Field role is master, not slave");
    info("/match_all?role=master&nosuch=1").is(500, "Field nosuch is not there");
    info("/match_all").has(400, "match_all names no field");
    info("/other?role=slave").has(200, "redis_version");
    check_with(user(None, "hunter2"), &format!("/redis/cache/{port}")).has(
        500,
        "Sent AUTH, got back -ERR AUTH <password> called without any password configured",
    );
}

#[test]
fn a_real_redis_with_passwords_lets_the_right_ones_in() {
    let (port, folder) = (free_port(), TempDir::new());
    let acl = "user ops on >opspass +ping +auth\nuser off off >opspass +@all";
    let lines = format!("requirepass {}\n{acl}", in_conf(PASSWORD));
    let server = redis(folder, port, &lines);
    let (path, info) = (
        format!("/redis/cache/{port}"),
        format!("/redis-info/cache/{port}"),
    );
    server.wait_for("Redis pongs", || {
        check_with(user(None, PASSWORD), &path).status == 200
    });
    check_with(user(Some("default"), PASSWORD), &path).is(200, "Sent PING, got back +PONG");
    check_with(user(None, PASSWORD), &info).has(200, "redis_version");
    check_with(user(Some("ops"), "opspass"), &path).is(200, "Sent PING, got back +PONG");
    check_with(user(Some("ops"), "opspass"), &info).has(500, "Sent INFO, got back -NOPERM");
    check_with(user(Some("off"), "opspass"), &path).has(500, "Sent AUTH, got back -WRONGPASS");
    check_with(user(None, "wrong"), &path).has(500, "Sent AUTH, got back -WRONGPASS");
    check(&path).is(500, "Sent PING, got back -NOAUTH Authentication required.");
    check(&info).is(500, "Sent INFO, got back -NOAUTH Authentication required.");
}

#[test]
fn a_real_redis_speaks_tls() {
    let (port, plain, folder) = (free_port(), free_port(), TempDir::new());
    let (cert, key) = certificate(folder.path());
    let tls = format!(
        "tls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-auth-clients no\nrequirepass sesame",
        cert.display(),
        key.display()
    );
    let server = redis(folder, plain, &tls);
    let config = || ProbeSettings {
        redis_tls: true,
        ..user(None, "sesame")
    };
    server.wait_for("Redis pongs", || {
        check_with(config(), &format!("/redis/cache/{port}")).status == 200
    });
    check_with(
        config(),
        &format!("/redis-info/cache/{port}/match?tcp_port={plain}"),
    )
    .has(200, "Match found");
    let hasty = ProbeSettings {
        healthcheck_timeout: hasty().healthcheck_timeout,
        ..config()
    };
    check_with(hasty, &format!("/redis/cache/{plain}")).has(503, "in the TLS handshake");
    let authority = Some(server.folder().join("cert.pem"));
    let verifying = |tls_ca_file| ProbeSettings {
        tls_verify: true,
        tls_ca_file,
        ..config()
    };
    check_with(verifying(authority), &format!("/redis/cache/{port}"))
        .is(200, "Sent PING, got back +PONG");
    check_with(verifying(None), &format!("/redis/cache/{port}")).has(503, "TLS handshake failed");
    let checked = check(&format!("/redis/cache/{port}"));
    assert!(checked.status >= 500, "TLS is wanted there: {checked:?}");
}

#[test]
fn a_real_sentinel_names_its_master() {
    require("/usr/bin/redis-sentinel", "redis-sentinel");
    let (port, master) = (free_port(), free_port());
    let lines =
        format!("bind 127.0.0.1\nport {port}\nsentinel monitor main 127.0.0.1 {master} 1\n");
    let server = start(TempDir::new(), "/usr/bin/redis-sentinel", &lines);
    let path = format!("/sentinel/cache/{port}");
    server.wait_for("Sentinel pongs", || check(&path).status == 200);
    check(&path).is(200, "Sent PING, got back +PONG");
    let address = format!("127.0.0.1:{master}");
    let info = |rest: &str| check(&format!("/sentinel-info/cache/{port}{rest}"));
    let fields: serde_json::Value = serde_json::from_str(&info("").body).unwrap();
    assert_eq!(
        (&fields["redis_master"], &fields["redis_mode"]),
        (&address.clone().into(), &"sentinel".into())
    );
    info(&format!("/match?redis_master={address}")).has(200, "Match found: field redis_master");
    info("/match?redis_master=127.0.0.1:1").is(500, "No matching field found");
    info(&format!("/match?master0.address={address}"))
        .has(200, "Match found: field master0.address");
    // The account is for the Redis beside it.
    check_with(user(None, "hunter2"), &path).is(200, "Sent PING, got back +PONG");
    check_with(user(Some("probe"), "hunter2"), &path).is(200, "Sent PING, got back +PONG");
}

#[test]
fn a_sentinel_with_a_password_takes_its_services_login_and_no_other() {
    require("/usr/bin/redis-sentinel", "redis-sentinel");
    let port = free_port();
    let lines = format!("bind 127.0.0.1\nport {port}\nrequirepass of-sentinel\n");
    let server = start(TempDir::new(), "/usr/bin/redis-sentinel", &lines);
    let text = "login_to: [127.0.0.1]\nredis_password: of-redis\nservices:\n\
                \x20 own: {login: {password: of-sentinel}}\n\
                \x20 wrong: {login: {password: of-another}}\n  none: {login: off}\n";
    let ask = |protocol: &str, service: &str, rest: &str| {
        check_by(text, &format!("/{protocol}/{service}/{port}{rest}"))
    };
    server.wait_for("Sentinel pongs", || {
        ask("sentinel", "own", "").status == 200
    });
    ask("sentinel", "own", "").is(200, "Sent PING, got back +PONG");
    ask("sentinel-info", "own", "/match?redis_mode=sentinel").has(200, "Match found");
    let refused = "Sent PING, got back -NOAUTH Authentication required.";
    ask("sentinel", "none", "").is(500, refused);
    ask("sentinel", "cache", "").is(500, refused);
    ask("sentinel-info", "cache", "").has(500, "NOAUTH");
    ask("sentinel", "wrong", "").has(500, "Sent AUTH, got back -WRONGPASS");
}

#[test]
fn other_answers_are_failures_that_are_shown() {
    for (protocol, answer, status, body) in [
        (
            "redis",
            &b"-LOADING Redis is loading\r\n"[..],
            500,
            "Sent PING, got back -LOADING Redis is loading",
        ),
        ("sentinel", b"+PONGO\n", 500, "Sent PING, got back +PONGO"),
        (
            "redis",
            b"HTTP/1.1 400 No\r\n\r\n",
            500,
            "Sent PING, got back HTTP/1.1 400 No",
        ),
        ("redis-info", b"$-1\r\n", 500, "Sent INFO, got back $-1"),
        (
            "redis-info",
            b"$99999999999999999999\r\n",
            500,
            "Sent INFO, got back $99999999999999999999",
        ),
        (
            "redis-info",
            b"foo:bar\r\n# Keyspace\r\n",
            500,
            "Sent INFO, got back foo:bar\\r\\n# Keyspace\\r\\n",
        ),
    ] {
        let port = scripted(b"", &[answer]);
        check(&format!("/{protocol}/cache/{port}")).is(status, body);
    }
    let port = scripted(b"", &[b"$40\r\n# Server\r\nredis_version:7\r\n"]);
    check(&format!("/redis-info/cache/{port}")).has(
        503,
        "in the middle of its answer, got \"# Server\\r\\nredis_v",
    );
}

#[test]
fn lines_without_a_count_are_taken_as_the_originals_took_them() {
    for (protocol, reply) in [
        (
            "redis-info",
            &b"redis_version:7\r\nrole:master\r\n# Keyspace\r\ndb0:keys=1\r\n"[..],
        ),
        (
            "sentinel-info",
            b"redis_version:7\r\nrole:master\r\nmaster0:address=1.2.3.4:5,sentinels=1\r\n",
        ),
    ] {
        let open = peer(move |mut stream| {
            stream.write_all(reply)?;
            stream.read_to_end(&mut Vec::new()).map(drop)
        });
        check(&format!("/{protocol}/cache/{open}/match?role=master")).has(200, "Match found");
    }
    let half = scripted(b"", &[b"redis_version:7\r\nrole:master\r\n"]);
    check(&format!("/redis-info/cache/{half}/match?role=master")).has(503, "before its end");
}

#[test]
fn a_password_never_shows_even_if_the_peer_echoes_it() {
    for answer in [
        &b"-ERR unknown command 'AUTH', with args beginning with: 'hunter2' \r\n"[..],
        b"-ERR unknown command 'AUTH', with args beginning with: 'hunt\r\n",
        b"-ERR no hunter2 here\r\n",
        b"hunter2",
    ] {
        for protocol in ["redis", "redis-info"] {
            let port = scripted(b"", &[answer]);
            let checked = check_with(user(None, "hunter2"), &format!("/{protocol}/cache/{port}"));
            assert!(
                checked.status >= 500 && !format!("{checked:?}").contains("hunt"),
                "{checked:?}"
            );
        }
    }
    let echo = peer(|stream| std::io::copy(&mut &stream, &mut &stream).map(drop));
    check_with(user(None, "hunter2"), &format!("/redis/cache/{echo}"))
        .is(500, "Sent AUTH, got back *2");
    let config = ProbeSettings {
        healthcheck_timeout: hasty().healthcheck_timeout,
        ..user(None, "hunter2")
    };
    let slow = peer(|mut stream| {
        stream.write_all(b"-ERR you said hunter2")?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    check_with(config, &format!("/redis/cache/{slow}"))
        .has(503, "waiting for the answer to AUTH, so far \"-ERR you");
}

#[test]
fn misbehaving_peers_fail_the_check() {
    fails_on_misbehaving_peers(
        "redis",
        b"+PON",
        "so far \"+PON\"",
        "waiting for the answer to PING",
    );
    fails_on_misbehaving_peers(
        "sentinel",
        b"+PON",
        "so far \"+PON\"",
        "waiting for the answer to PING",
    );
    fails_on_misbehaving_peers(
        "redis-info",
        b"$4096\r\nredis",
        "so far \"$4096\\r\\nredis\"",
        "waiting for the answer to INFO",
    );
    fails_on_misbehaving_peers(
        "sentinel-info",
        b"$4096\r\nredis",
        "so far \"$4096\\r\\nredis\"",
        "waiting for the answer to INFO",
    );
}
