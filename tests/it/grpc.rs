//! `grpc` and `grpcs`, against a real etcd and peers that misbehave.

use std::io::{Read as _, Write as _};
use std::process::Command;

use crate::support::TempDir;
use crate::support::checks::{check, check_with, fails_on_misbehaving_peers, hasty, peer};
use crate::support::server::{Server, certificate, free_port, require};

const ETCD: &str = "/usr/bin/etcd";

/// A one-node etcd; with TLS where `tls` says so. Gives it with its client port.
fn etcd(tls: bool) -> (Server, u16) {
    require(ETCD, "etcd-server");
    let folder = TempDir::new();
    let (client, cluster) = (free_port(), free_port());
    let scheme = if tls { "https" } else { "http" };
    let urls = (
        format!("{scheme}://127.0.0.1:{client}"),
        format!("http://127.0.0.1:{cluster}"),
    );
    let mut command = Command::new(ETCD);
    command.arg("--data-dir").arg(folder.path().join("data"));
    command.args([
        "--listen-client-urls",
        &urls.0,
        "--advertise-client-urls",
        &urls.0,
    ]);
    command.args([
        "--listen-peer-urls",
        &urls.1,
        "--initial-advertise-peer-urls",
        &urls.1,
    ]);
    command.args(["--initial-cluster", &format!("default={}", urls.1)]);
    if tls {
        let (cert, key) = certificate(folder.path());
        command
            .arg("--cert-file")
            .arg(cert)
            .arg("--key-file")
            .arg(key);
    }
    (Server::start(folder, &command), client)
}

#[test]
fn a_real_etcd_serves_and_does_not_know_other_services() {
    let (server, port) = etcd(false);
    server.wait_for("etcd serves", || {
        check(&format!("/grpc/etcd/{port}")).status == 200
    });
    check(&format!("/grpc/etcd/{port}")).is(200, "SERVING");
    check(&format!("/grpc/etcd/{port}?service=")).has(400, "option service has no value");
    check(&format!("/grpc/etcd/{port}?service=no.such"))
        .has(503, "grpc-status 5 NOT_FOUND: unknown service");
    check(&format!("/grpc/etcd/{port}?servce=x")).has(400, "unknown option 'servce'");
    check(&format!("/grpc/etcd/{port}?deep=1")).has(400, "unknown option 'deep'");
    check(&format!("/grpcs/etcd/{port}?deep=1")).has(400, "unknown option 'deep'");
    check(&format!("/grpcs/etcd/{port}")).has(503, "TLS handshake failed");
}

#[test]
fn a_real_etcd_serves_over_tls() {
    let (server, port) = etcd(true);
    server.wait_for("etcd serves", || {
        check(&format!("/grpcs/etcd/{port}")).status == 200
    });
    check(&format!("/grpcs/etcd/{port}")).is(200, "SERVING");
    check(&format!("/grpc/etcd/{port}")).has(503, "grpc 127.0.0.1");
}

#[test]
fn misbehaving_peers_fail_the_check() {
    // The beginning of a SETTINGS frame.
    fails_on_misbehaving_peers(
        "grpc",
        b"\0\0\0\x04",
        "waiting for the answer",
        "waiting for the answer",
    );
}

#[test]
fn an_http1_server_is_named_as_no_grpc_server() {
    let port = peer(|mut stream| {
        let _ = stream.read(&mut [0; 4096])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    });
    check_with(hasty(), &format!("/grpc/web/{port}")).has(503, "the HTTP/2 exchange failed");
}
