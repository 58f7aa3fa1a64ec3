//! `smtp`, against a real server and peers that misbehave.

use std::fs;
use std::process::Command;

use crate::support::TempDir;
use crate::support::checks::{check, check_with, fails_on_misbehaving_peers, hasty, scripted};
use crate::support::server::{Server, free_port, require};

#[test]
fn a_real_mail_server_greets_and_says_goodbye() {
    require("/usr/sbin/smtpd", "opensmtpd");
    let (folder, port) = (TempDir::new(), free_port());
    let config = folder.path().join("smtpd.conf");
    let text =
        format!("listen on 127.0.0.1 port {port}\naction here mbox\nmatch for local action here\n");
    fs::write(&config, text).unwrap();
    let mut command = Command::new("/usr/sbin/smtpd");
    command.arg("-d").arg("-f").arg(config);
    let server = Server::start(folder, &command);
    let path = format!("/smtp/mail/{port}");
    server.wait_for("OpenSMTPD greets (it must be started as root)", || {
        check(&path).status == 200
    });
    let checked = check(&path);
    checked.has(200, "Connected in 0.");
    assert!(
        checked.steps.contains("greeting '220 "),
        "{}",
        checked.steps
    );
    assert!(
        checked.steps.contains("QUIT response '221 2.0.0"),
        "{}",
        checked.steps
    );
}

#[test]
fn greeting_and_farewell_may_have_several_lines_and_bare_ends() {
    for (greeting, farewell) in [
        (
            &b"220-one\r\n220-two\r\n220 three\r\n"[..],
            &[&b"221-so\r\n221 long\r\n"[..]],
        ),
        (b"220 x\n", &[b"221\n"]),
    ] {
        let port = scripted(greeting, farewell);
        check(&format!("/smtp/mail/{port}")).has(200, "Connected in ");
    }
}

#[test]
fn other_answers_are_failures_that_are_shown() {
    for (greeting, answers, body) in [
        (
            &b"554 go away\r\n"[..],
            &[&b"221 bye\r\n"[..]][..],
            "Got unexpected greeting '554 go away'",
        ),
        (
            b"HTTP/1.1 400 Bad Request\r\n",
            &[],
            "Got unexpected greeting 'HTTP/1.1 400 Bad Request'",
        ),
        (
            b"220 x\r\n",
            &[b"250 ok\r\n"],
            "Got unexpected QUIT response '250 ok'",
        ),
        (b"220 x\r\n", &[b"\r\n"], "Got unexpected QUIT response ''"),
        (
            b"220 x\r\n",
            &[b"2211 \x07\r\n"],
            "Got unexpected QUIT response '2211 \\u{7}'",
        ),
        (b"220 x\r\n", &[b""], "Peer unexpectedly closed connection"),
        (
            b"220 x\r\n",
            &[b"221-so\r\n"],
            "Peer unexpectedly closed connection",
        ),
        (b"220 x", &[], "Peer unexpectedly closed connection"),
    ] {
        let port = scripted(greeting, answers);
        check(&format!("/smtp/mail/{port}")).is(503, body);
    }
}

#[test]
fn the_deadline_has_the_originals_body() {
    let port = scripted(b"220-", &[b"", b""]);
    let checked = check_with(hasty(), &format!("/smtp/mail/{port}"));
    checked.has(503, "Connection timed out after ");
    let seconds = checked
        .body
        .trim_start_matches("Connection timed out after ")
        .trim_end_matches('s');
    assert!(
        seconds.parse::<f64>().is_ok(),
        "something else beside the time: {}",
        checked.body
    );
    assert!(
        checked
            .steps
            .contains("waiting for the greeting, so far \"220-\""),
        "{}",
        checked.steps
    );
}

#[test]
fn misbehaving_peers_fail_the_check() {
    fails_on_misbehaving_peers(
        "smtp",
        b"220-half\r\n220 ha",
        "so far \"220-half\\r\\n220 ha\"",
        "timed out after",
    );
}
