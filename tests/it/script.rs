//! `script`: lines that a service's settings say to send and to wait for, with real servers and peers that misbehave.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::checks::{check_by, scripted};
use crate::support::daemon::Daemon;
use crate::support::server::{Server, certificate, free_port, require};
use crate::support::{TempDir, run};

fn daemon(script: &str) -> Daemon {
    Daemon::with_config(&format!(
        "healthcheck_timeout: 0.5\nservices: {{q: {{script: {script}}}}}\n"
    ))
}

/// The lines of the documentation as they stand there.
fn documented(certificate: &Path) -> String {
    let text = include_str!("../../docs/checks.md");
    let blocks = text.split("```");
    let scripts = blocks.filter_map(|block| block.strip_prefix("yaml\n"));
    let scripts: Vec<&str> = scripts
        .filter(|block| block.contains("beanstalkd:"))
        .collect();
    let &[scripts] = scripts.as_slice() else {
        panic!("{} blocks of YAML have scripts", scripts.len());
    };
    let ca = certificate.display();
    format!("login_to: [127.0.0.1]\ntls_ca_file: {ca}\n{scripts}")
}

/// A server, and what makes it: a folder with `cert.pem` and `key.pem`.
fn server(program: &str, package: &str, arguments: impl FnOnce(&Path) -> Vec<String>) -> Server {
    require(program, package);
    let folder = TempDir::new();
    certificate(folder.path());
    let mut command = Command::new(program);
    command.args(arguments(folder.path()));
    Server::start(folder, &command)
}

#[test]
fn a_real_beanstalkd_answers_as_documented() {
    let port = free_port().to_string();
    let arguments = |_: &Path| vec!["-l".into(), "127.0.0.1".into(), "-p".into(), port.clone()];
    let server = server("/usr/bin/beanstalkd", "beanstalkd", arguments);
    let config = documented(&server.folder().join("cert.pem"));
    let path = format!("/script/beanstalkd/{port}");
    server.wait_for("beanstalkd answers", || {
        check_by(&config, &path).status == 200
    });
    check_by(&config, &path).is(200, "All 1 steps passed");
}

fn vsftpd(port: u16, more: &str) -> Server {
    server("/usr/sbin/vsftpd", "vsftpd", |folder| {
        let place = folder.display();
        let text = format!(
            "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\n\
             run_as_launching_user=YES\nseccomp_sandbox=NO\nsecure_chroot_dir={place}\n\
             rsa_cert_file={place}/cert.pem\nrsa_private_key_file={place}/key.pem\n{more}"
        );
        fs::write(folder.join("vsftpd.conf"), text).unwrap();
        vec![format!("{place}/vsftpd.conf")]
    })
}

#[test]
fn a_real_ftp_server_answers_as_documented_and_over_tls() {
    let (plain, encrypted) = (free_port(), free_port());
    let server = vsftpd(plain, "");
    let config = documented(&server.folder().join("cert.pem"));
    let path = format!("/script/ftp/{plain}");
    server.wait_for("vsftpd answers", || check_by(&config, &path).status == 200);
    check_by(&config, &path).is(200, "All 2 steps passed");

    let server = vsftpd(encrypted, "ssl_enable=YES\nimplicit_ssl=YES\n");
    let ca = server.folder().join("cert.pem");
    let by = |tls: &str| {
        format!(
            "login_to: [127.0.0.1]\nservices: {{ftp: {{script: {FTP}, tls: {{verify: true{tls}}}}}}}"
        )
    };
    let trusting = by(&format!(", ca_file: {}", ca.display()));
    let path = format!("/script/ftp/{encrypted}");
    server.wait_for("vsftpd answers", || {
        check_by(&trusting, &path).status == 200
    });
    check_by(&trusting, &path).is(200, "All 2 steps passed");
    check_by(&by(""), &path).has(503, "TLS handshake failed");
    assert_eq!(check_by(&config, &path).status, 503);
}

/// Dovecot with these ports for IMAP and POP3, without and with TLS. Any user has the password `sesame-words`.
fn dovecot([imap, imaps, pop3, pop3s]: [u16; 4]) -> Server {
    server(
        "/usr/sbin/dovecot",
        "dovecot-imapd dovecot-pop3d",
        |folder| {
            let place = folder.display();
            let listen = |name: &str, ports: [(&str, u16); 2]| {
                let port =
                    |(listener, port)| format!("inet_listener {listener} {{\nport = {port}\n}}\n");
                format!("service {name} {{\n{}}}\n", ports.map(port).concat())
            };
            let text = format!(
                "base_dir = {place}/run\nstate_dir = {place}/state\nlog_path = /dev/stderr\nlisten = 127.0.0.1\n\
             protocols = imap pop3\nssl = yes\nssl_cert = <{place}/cert.pem\nssl_key = <{place}/key.pem\n\
             {}{}passdb {{\ndriver = static\nargs = password=sesame-words\n}}\n\
             userdb {{\ndriver = static\nargs = uid=nobody gid=nogroup home={place}/home\n}}\n",
                listen("imap-login", [("imap", imap), ("imaps", imaps)]),
                listen("pop3-login", [("pop3", pop3), ("pop3s", pop3s)]),
            );
            fs::write(folder.join("dovecot.conf"), text).unwrap();
            vec!["-F".into(), "-c".into(), format!("{place}/dovecot.conf")]
        },
    )
}

#[test]
fn real_imap_and_pop3_servers_answer_as_documented_and_over_tls() {
    let ports = [(); 4].map(|()| free_port());
    let server = dovecot(ports);
    let ca = server.folder().join("cert.pem");
    let config = documented(&ca);
    let [imap, imaps, pop3, pop3s] = ports;
    let path = format!("/script/imap/{imap}");
    server.wait_for("Dovecot answers (it must be started as root)", || {
        check_by(&config, &path).status == 200
    });
    check_by(&config, &path).is(200, "All 2 steps passed");
    check_by(&config, &format!("/script/pop3/{pop3}")).is(200, "All 2 steps passed");
    check_by(&config, &format!("/script/imaps/{imaps}")).is(200, "All 1 steps passed");

    let login = |script: &str, port: u16| {
        let text = format!(
            "login_to: [127.0.0.1]\nhealthcheck_timeout: 5\nservices: {{mail: {{script: {script}, \
             tls: {{verify: true, ca_file: {}}}}}}}",
            ca.display()
        );
        check_by(&text, &format!("/script/mail/{port}"))
    };
    let imap_login =
        r#"[{expect: "^\\* OK"}, {send: "a LOGIN somebody sesame-words\r\n", expect: "^a OK"}]"#;
    login(imap_login, imaps).is(200, "All 2 steps passed");
    let pop3_refusal = r#"[{expect: "^\\+OK"}, {send: "USER somebody\r\n", expect: "^\\+OK"},
        {send: "PASS open-words\r\n", expect: "^-ERR \\[AUTH\\]"}]"#;
    login(pop3_refusal, pop3s).is(200, "All 3 steps passed");
}

const FTP: &str = r#"[{expect: "^220 "}, {send: "QUIT\r\n", expect: "^221 "}]"#;

#[test]
fn a_real_server_answers_as_the_script_expects() {
    require("/usr/bin/redis-server", "redis-server");
    let port = free_port();
    let mut command = Command::new("/usr/bin/redis-server");
    command.args([
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--port",
        &port.to_string(),
    ]);
    let server = Server::start(TempDir::new(), &command);
    let daemon =
        daemon(r#"[{send: "PING\r\n", expect: "^\\+PONG$"}, {send: "ECHO x\r\n", expect: "^x$"}]"#);
    let path = format!("/script/q/{port}");
    let ask = || daemon.get_with(&path, &[("Pragma", "no-cache")]);
    server.wait_for("the script passes", || ask().status == 200);
    ask().is(200, "All 2 steps passed");
}

#[test]
fn lines_that_do_not_match_are_read_over_until_one_does() {
    let port = scripted(b"220-so\r\n220-long\r\n220 ready\r\n", &[b"221 bye\r\n"]);
    let answer = daemon(FTP).get(&format!("/script/q/{port}"));
    answer.is(200, "All 2 steps passed");
}

#[test]
fn other_answers_fail_and_say_at_which_step() {
    let long: &'static [u8] = &[b'x'; 5000];
    let many: &'static [u8] = "no\n".repeat(101).leak().as_bytes();
    for (greeting, answer, said) in [
        (
            &b"421 busy\r\n"[..],
            &b""[..],
            "the script expects, so far \"421 busy",
        ),
        (
            b"220 hi\r\n",
            b"500 what\r\n",
            "step 2 expects \"^221 \", the last line was '500 what'",
        ),
        (b"220 hi\r\n", b"500 you said QUIT\r\n", "500 you said ***"),
        (long, b"", "the answer does not end within 4096 bytes"),
        (many, b"", "100 lines do not match"),
    ] {
        let port = scripted(greeting, &[answer]);
        let answer = daemon(FTP).get(&format!("/script/q/{port}"));
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.body.contains(said), "{said}: {answer:?}");
    }
}

#[test]
fn a_script_is_sent_only_where_passwords_may_go() {
    let daemon = daemon(FTP);
    let other = [("X-Nerve-Check-IP", "10.255.0.1")];
    let refused = daemon.get_with("/script/q/21", &other);
    assert_eq!(refused.status, 403, "{refused:?}");
    let none = daemon.get("/script/other/21");
    assert!(
        none.status == 400 && none.body.contains("has no script"),
        "{none:?}"
    );
    daemon
        .get("/script/q/21?step=1")
        .is(400, "script: unknown option 'step'; there are none");
}

#[test]
fn what_a_script_sends_is_masked_wherever_the_server_quotes_it() {
    let script = r#"[{expect: "^220 "}, {send: "PASS sesame\r\n"}, {send: "STAT now\r\n", expect: "^221 "}]"#;
    let port = scripted(b"220 hi\r\n", &[b"500 'sesame' is wrong, now or later\r\n"]);
    let answer = daemon(script).get(&format!("/script/q/{port}"));
    assert!(answer.body.contains("'500 '***' is wrong"), "{answer:?}");
    assert!(!answer.body.contains("sesame"), "{answer:?}");
}

#[test]
fn a_script_that_expects_nothing_is_refused_and_what_is_sent_is_never_shown() {
    let folder = TempDir::new();
    let file = folder.file("c.yml");
    let check = |script: &str| {
        std::fs::write(&file, format!("services: {{q: {{script: {script}}}}}\n")).unwrap();
        run("hacheck", &["config", "-c", file.to_str().unwrap()])
    };
    for bad in ["[]", "[{}]", r#"[{send: "x"}]"#, r#"[{expect: "("}]"#] {
        check(bad).code_is(1);
    }
    let shown = check(r#"[{send: "PASS sesame\r\n", expect: "^230"}]"#);
    shown.code_is(0);
    assert!(
        shown.out.contains("^230") && !shown.out.contains("sesame"),
        "{shown:?}"
    );
}
