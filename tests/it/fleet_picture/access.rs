//! The page as programs see it: what is served, and to whom.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::scene::Scene;
use super::site::Site;
use crate::support::{PATIENCE, run, wait_until};

/// Every path that there is.
const PATHS: [&str; 6] = [
    "/",
    "/ui",
    "/fleet",
    "/fleet.js",
    "/fleet.css",
    "/fleet.json",
];

#[test]
fn the_page_is_fixed_and_strict_and_read_only() {
    let scene = Scene::quiet();
    let mut site = Site::start(&scene, &[]);
    for path in &PATHS[..5] {
        let answer = site.get(path);
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("require-trusted-types-for 'script'"),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path} {name}");
        }
        let tag = answer.header("etag").unwrap().to_owned();
        let known = [("Host", "localhost"), ("If-None-Match", tag.as_str())];
        assert_eq!(site.request("GET", path, &known).status, 304, "{path}");
    }
    let json = site.get("/fleet.json");
    assert_eq!(
        json.header("content-security-policy"),
        Some("default-src 'none'; sandbox")
    );
    assert_eq!(json.header("cache-control"), Some("no-store"));
    assert_eq!(json.header("access-control-allow-origin"), None);
    for path in PATHS {
        let head = site.request("HEAD", path, &[("Host", "localhost")]);
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            assert_eq!(
                site.request(method, path, &[("Host", "localhost")]).status,
                405
            );
        }
    }
    assert_eq!(site.get("/overview").status, 404);
    site.process.signal(Signal::SIGTERM);
    wait_until(PATIENCE, "it ends", || site.process.ended().is_some());
    assert_eq!(site.process.ended().unwrap().code(), Some(0));
}

#[test]
fn a_browser_that_was_led_here_by_another_name_is_refused() {
    let scene = Scene::quiet();
    let site = Site::start(&scene, &[]);
    for path in PATHS {
        for host in [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil.example",
            "",
        ] {
            assert_eq!(site.get_for(path, host).status, 403, "{path} {host}");
        }
        for host in ["127.0.0.1:3380", "[::1]:1", "LOCALHOST:3380", "10.0.0.7"] {
            assert_eq!(site.get_for(path, host).status, 200, "{path} {host}");
        }
    }
}

#[test]
fn it_listens_on_loopback_unless_somebody_says_who_may_look() {
    let scene = Scene::quiet();
    for (args, said) in [
        (&["--serve", "0.0.0.0:0"][..], "add --from with who may"),
        (&["--serve", "[::]:0"], "add --from with who may"),
        (&["--serve", "nowhere"], "is not an address with a port"),
        (
            &["--serve", "127.0.0.1:0", "--from", "x"],
            "is not a network",
        ),
        (
            &["--serve", "127.0.0.1:0", "hosts"],
            "leave out words and -o",
        ),
        (
            &["--serve", "127.0.0.1:0", "-o", "json"],
            "leave out words and -o",
        ),
        (&["--from", "private"], "--from is for --serve alone"),
    ] {
        let ran = scene.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
    }
    let site = Site::start_at(&scene, "0.0.0.0:0", &["--from", "10.0.0.0/8"]);
    assert_eq!(site.get("/fleet.json").status, 200);
    let taken = site.address.port().to_string();
    let ran = scene.run(&["--serve", &format!("127.0.0.1:{taken}")]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("stop what listens there"), "{}", ran.err);
    let ran = run(
        "hacheck",
        &["fleet", "--fleet-file", "/nowhere", "--serve", "3380"],
    );
    assert_eq!(ran.code, Some(1), "{}", ran.err);
}

#[test]
fn the_answer_follows_the_engine_and_says_when_it_cannot() {
    let mut scene = Scene::busy();
    let site = Site::start(&scene, &["--where", "zone=a,b"]);
    let answer = site.answer("");
    assert_eq!(
        (&answer["page"], &answer["fleet"]),
        (&json!(1), &json!("test"))
    );
    assert_eq!(
        (&answer["where"], &answer["sums"]["hosts"]),
        (&json!("zone=a,b"), &json!(7))
    );
    let order = &answer["orders"][0];
    assert_eq!(
        (&order["done"], &order["late"]),
        (&json!(3), &json!(["web02", "web03"]))
    );
    let found = site.answer("ops-2291");
    let names = |answer: &Value| answer["hosts"].as_array().unwrap().len();
    assert_eq!(
        (names(&found), &found["hosts"][0]["host"]),
        (1, &json!("web06"))
    );
    assert_eq!(
        (&found["text"], &found["sums"]["hosts"]),
        (&json!("ops-2291"), &json!(7))
    );
    scene = scene.lost("web07");
    wait_until(PATIENCE, "the loss is told", || {
        site.answer("")["sums"]["lost"] == 2
    });
    scene.kill_all();
    wait_until(PATIENCE, "the fault is told", || {
        site.answer("")["engine"]["error"].is_string()
    });
    let answer = site.answer("");
    assert_eq!(answer["sums"]["hosts"], 7, "what was read last stays");
    assert!(answer["engine"]["since"].as_f64() > answer["engine"]["read"].as_f64());
}

#[test]
fn many_viewers_read_the_engine_once() {
    let scene = Scene::quiet();
    let site = Site::start(&scene, &[]);
    let first = site.answer("")["engine"]["read"].clone();
    let reads: Vec<Value> = (0..50)
        .map(|_| site.answer("")["engine"]["read"].clone())
        .collect();
    let mut times = vec![first];
    times.extend(reads);
    times.dedup();
    // Fifty answers take a moment, in which a reading or two may come.
    assert!(times.len() < 10, "{times:?}");
}
