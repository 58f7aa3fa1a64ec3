//! `script`: lines that a service's settings say to send and to wait for, with a real Redis and peers that misbehave.

use std::process::Command;

use crate::support::checks::scripted;
use crate::support::daemon::Daemon;
use crate::support::server::{Server, free_port, require};
use crate::support::{TempDir, run};

fn daemon(script: &str) -> Daemon {
    Daemon::with_config(&format!(
        "healthcheck_timeout: 0.5\nservices: {{q: {{script: {script}}}}}\n"
    ))
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
