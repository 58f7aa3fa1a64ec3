//! Spool files that nobody should write: any content is a downtime, and none breaks an answer.

use std::fs;

use crate::support::client::Response;
use crate::support::daemon::Daemon;
use crate::support::random::Random;

/// Contents of spool files that are no downtime that anybody meant; all the same they are one.
fn garbage() -> Vec<Vec<u8>> {
    let nested =
        |open: &str, close: &str, n: usize| [open.repeat(n), close.repeat(n)].concat().into_bytes();
    let texts = [
        "",
        "\n",
        "null",
        "true",
        "0",
        "-1e999",
        "\"",
        "[]",
        "[1,2]",
        "{}",
        "{",
        "{\"reason\"",
        "{\"reason\": {\"a\": [1]}}",
        "{\"expiration\": \"soon\", \"creation\": []}",
        "{\"expiration\": 1e308, \"creation\": -1e308}",
        "{\"expiration\": 1e999}",
        "{\"expiration\": NaN}",
        "{\"reason\": \"\\ud800\"}",
        "{\"reason\": \"a\\u0000\\r\\nb\"}",
        "{\"reason\": \"HTTP/1.1 200 OK\\r\\n\\r\\n\"}",
        "\u{feff}{\"reason\": \"x\"}",
        "HTTP/1.1 200 OK\r\n\r\nup",
        "{\"reason\": \"a\", \"reason\": \"b\"}",
        "{\"reason\": null, \"expiration\": null, \"creation\": null}",
    ];
    let mut all: Vec<Vec<u8>> = texts.iter().map(|t| t.as_bytes().to_vec()).collect();
    all.extend([
        nested("[", "]", 100_000),
        nested("{\"a\":", "}", 100_000),
        nested("{\"reason\":[", "]}", 50),
    ]);
    all.extend([
        vec![0; 100_000],
        vec![0xff; 100_000],
        vec![b'x'; (1 << 20) + 1],
        vec![b'\n'; 3 << 20],
    ]);
    all
}

/// Checks that an answer is the contract's, on one line, with a phrase that can stand on a status line.
#[track_caller]
fn is_down(response: &Response, name: &str) {
    assert_eq!(response.status, 503, "{name}");
    let start = format!("Service {name} in down state");
    assert!(
        response.body.starts_with(&start),
        "{name}: {:?}",
        response.body.get(..200)
    );
    let line = response.body.strip_suffix('\n').unwrap_or(&response.body);
    assert!(
        !line.chars().any(char::is_control),
        "{name}: {:?}",
        line.get(..200)
    );
    assert!(
        response.phrase.len() <= 100 && response.phrase.bytes().all(|b| (b' '..=b'~').contains(&b)),
        "{response:?}"
    );
    assert!(
        response
            .header("content-length")
            .is_some_and(|n| n == response.body.len().to_string()),
        "{name}"
    );
}

#[test]
fn any_content_of_a_spool_file_is_a_downtime() {
    let mut daemon = Daemon::start();
    let garbage = garbage();
    for (i, content) in garbage.iter().enumerate() {
        daemon.spool.put(&format!("g{i}"), content);
        is_down(&daemon.get(&format!("/spool/g{i}/80")), &format!("g{i}"));
        let ran = daemon.run("hastatus", &[&format!("g{i}")]);
        assert_eq!(
            (ran.code, ran.out.lines().count(), ran.err.as_str()),
            (Some(1), 1, ""),
            "g{i}"
        );
    }
    for format in ["tsv", "uber", "json"] {
        let ran = daemon.run("hashowdowned", &["-o", format]);
        let is_note = |line: &str| line.contains("; it holds until it is lifted");
        let only_notes = ran.err.lines().all(is_note);
        assert!(ran.code == Some(0) && only_notes, "{format}: {ran:?}");
    }
    assert_eq!(
        daemon.run("hashowdowned", &[]).out.lines().count(),
        garbage.len()
    );
    let names: Vec<String> = (0..garbage.len()).map(|i| format!("g{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(
        daemon
            .run("hadown", &[&["-r", "x"][..], &names].concat())
            .code,
        Some(0)
    );
    daemon.run("haup", &names).is(0, "");
    assert_eq!(daemon.spool.files(), [""; 0]);
    daemon.is_sound();
}

#[test]
fn no_random_content_lets_a_service_up_or_breaks_an_answer() {
    let mut daemon = Daemon::start();
    let mut random = Random::new(7);
    let json = br#"{"reason": "a reason \u00e9", "expiration": 4e9, "creation": 1000.5, "service": "web"}"#;
    for _ in 0..1500 {
        let mut content = if random.below(2) == 0 {
            json.to_vec()
        } else {
            random.bytes(80)
        };
        for _ in 0..random.below(5) {
            let at = random.below(content.len());
            content[at] = u8::try_from(random.below(256)).unwrap();
        }
        content.truncate(random.below(100));
        daemon.spool.put("web", &content);
        let response = daemon.get("/spool/web/80");
        // A digit that changes may make it a downtime of the past, which is none and goes.
        if response.status == 200 {
            let past: serde_json::Value = serde_json::from_slice(&content).unwrap();
            assert!(
                past["expiration"].as_f64().unwrap() < 2e9 && !daemon.spool.path("web").exists(),
                "{past}"
            );
        } else if content.contains(&0xff) || std::str::from_utf8(&content).is_err() {
            assert_eq!(response.status, 503);
        } else {
            is_down(&response, "web");
        }
    }
    daemon.is_sound();
}

#[test]
fn file_names_that_no_command_writes_stay_without_effect() {
    use std::os::unix::ffi::OsStringExt as _;
    let mut daemon = Daemon::start();
    let names: [&[u8]; 8] = [
        b"~hacheck",
        b"web~",
        b"a\nb",
        b"\xff\xfe",
        b"web:",
        b"web:99999",
        b":80",
        b".hidden:x:y",
    ];
    for name in names {
        fs::write(
            daemon
                .spool
                .root()
                .join(std::ffi::OsString::from_vec(name.to_vec())),
            "x",
        )
        .unwrap();
    }
    daemon.get("/spool/web/80").is(200, "");
    let ran = daemon.run("hashowdowned", &[]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
    assert!(!ran.err.contains("panicked"), "{ran:?}");
    daemon.run("hadown", &["-r", "x", "web"]);
    daemon.get("/spool/web/80").says(503, ": x");
    daemon.is_sound();
}
