//! `smtp`, against a real server and peers that misbehave.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::TempDir;
use crate::support::checks::{
    check, check_by, check_with, fails_on_misbehaving_peers, hasty, scripted,
};
use crate::support::server::{Server, certificate, free_port, require, run_to_end};

const MASTER: &str = "/usr/lib/postfix/sbin/master";

/// A mail server with a port for each way to speak with it.
struct Postfix {
    server: Server,
    /// Without TLS.
    plain: u16,
    /// By STARTTLS.
    starttls: u16,
    /// TLS from the first byte.
    encrypted: u16,
}

impl Postfix {
    fn start() -> Self {
        require(MASTER, "postfix");
        let (folder, ports) = (TempDir::new(), [(); 3].map(|()| free_port()));
        let [plain, starttls, encrypted] = ports;
        prepare(folder.path(), &services(ports));
        let mut command = Command::new(MASTER);
        command.arg("-s").arg("-c").arg(folder.file("etc"));
        let server = Server::start(folder, &command);
        server.wait_for("Postfix greets (it must be started as root)", || {
            check(&format!("/smtp/mail/{plain}")).status == 200
        });
        Self {
            server,
            plain,
            starttls,
            encrypted,
        }
    }

    fn path(&self, protocol: &str, port: u16) -> String {
        format!("/{protocol}/mail/{port}")
    }

    /// A line of its log says so of this check, whose process writes it when the connection has ended.
    #[track_caller]
    fn logs(&self, commands: &str) {
        self.server.wait_for(&format!("it logs {commands}"), || {
            self.server.log().contains(commands)
        });
    }
}

/// The lines of `master.cf`.
fn services([plain, starttls, encrypted]: [u16; 3]) -> String {
    format!(
        "{plain} inet n - n - - smtpd -o smtpd_tls_security_level=none\n\
         {starttls} inet n - n - - smtpd\n\
         {encrypted} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n\
         anvil unix - - n - 1 anvil\n\
         rewrite unix - - n - - trivial-rewrite\n\
         tlsmgr unix - - n 1000? 1 tlsmgr\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    )
}

/// Writes what it is configured by, and has it make its folders.
fn prepare(folder: &Path, services: &str) {
    certificate(folder);
    // Its parts run as a user of their own, and come by here.
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["etc", "queue", "data"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    let place = folder.display();
    let settings = format!(
        "compatibility_level = 3.6\nmyhostname = mail.test\nmydestination =\nalias_maps =\nlocal_recipient_maps =\n\
         inet_interfaces = loopback-only\ninet_protocols = ipv4\nmaillog_file = /dev/stdout\n\
         queue_directory = {place}/queue\ndata_directory = {place}/data\n\
         smtpd_tls_security_level = may\n\
         smtpd_tls_cert_file = {place}/cert.pem\nsmtpd_tls_key_file = {place}/key.pem\n"
    );
    fs::write(folder.join("etc/main.cf"), settings).unwrap();
    fs::write(folder.join("etc/master.cf"), services).unwrap();
    run_to_end(
        Command::new("chown")
            .arg("postfix")
            .arg(folder.join("data")),
    );
    let mut make_folders = Command::new("/usr/sbin/postfix");
    make_folders.arg("-c").arg(folder.join("etc")).arg("check");
    run_to_end(&mut make_folders);
}

#[test]
fn a_real_mail_server_greets_and_says_goodbye() {
    let postfix = Postfix::start();
    let checked = check(&postfix.path("smtp", postfix.plain));
    checked.has(200, "Connected in ");
    // Where the replaced tools ignore a query, we do.
    let asked = format!("{}?deep=1", postfix.path("smtp", postfix.plain));
    check(&asked).has(200, "Connected in ");
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
    postfix.logs("disconnect from localhost[127.0.0.1] quit=1 commands=1");
}

#[test]
fn a_real_mail_server_is_asked_by_starttls_and_over_tls_from_the_start() {
    let postfix = Postfix::start();
    let starttls = postfix.path("smtp", postfix.starttls);
    let smtps = postfix.path("smtps", postfix.encrypted);
    let by = |tls: &str, path: &str| check_by(&format!("services: {{mail: {{tls: {tls}}}}}"), path);
    let ca = postfix.server.folder().join("cert.pem");
    let ca = format!("verify: true, ca_file: {}", ca.display());

    let checked = by(&format!("{{{ca}, starttls: true}}"), &starttls);
    checked.has(200, "Connected in ");
    assert!(checked.steps.contains("TLS"), "{}", checked.steps);
    postfix.logs("ehlo=1 starttls=1 quit=1 commands=3");
    by("{starttls: true}", &starttls).has(200, "Connected in ");
    by(&format!("{{{ca}}}"), &smtps).has(200, "Connected in ");
    check(&smtps).has(200, "Connected in ");
    let mistaken = format!("{smtps}?starttls=yes");
    check(&mistaken).has(400, "smtps: unknown option 'starttls'; there are none");
    // As smtps by another name.
    let encrypted = postfix.path("smtp", postfix.encrypted);
    by("{}", &encrypted).has(200, "Connected in ");

    let strict = "{verify: true, starttls: true}";
    by(strict, &starttls).has(503, "TLS handshake failed");
    by("{verify: true}", &smtps).has(503, "TLS handshake failed");
    let plain = postfix.path("smtp", postfix.plain);
    by("{starttls: true}", &plain).has(503, "Got unexpected STARTTLS response '502 5.5.1");
    check(&postfix.path("smtps", postfix.plain)).has(503, "TLS handshake failed");
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
