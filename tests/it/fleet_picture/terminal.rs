//! The picture in a terminal, and where there is none.

use serde_json::{Value, json};

use super::scene::Scene;
use crate::support::daemon::Daemon;
use crate::support::etcd::MEMBERS;
use crate::support::terminal::Terminal;
use crate::support::tmux::Tmux;
use crate::support::{PATIENCE, wait_until};

fn on_terminal(scene: &Scene, args: &[&str]) -> Terminal {
    let args = scene.args(args);
    Terminal::run(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The line that begins so.
#[track_caller]
fn line<'a>(text: &'a str, begin: &str) -> &'a str {
    let found = text.lines().find(|line| line.starts_with(begin));
    found.unwrap_or_else(|| panic!("no line begins with {begin:?}: {text}"))
}

#[test]
fn it_prints_the_fleet_once_where_there_is_no_terminal_and_ends_with_0() {
    let scene = Scene::busy();
    let ran = scene.run(&[]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let text = &ran.out;
    let head = text.lines().next().unwrap();
    assert!(head.starts_with(" test  web05 is lost. "), "{head}");
    assert!(
        head.contains("web02 and web03 have not done yet what was ordered."),
        "{head}"
    );
    let rolled = "api, at most 1 down, 1 of 3 done, 1 under way, 1 waiting; run by bob@ops2 since ";
    assert!(text.contains(rolled), "{text}");
    for (begin, parts) in [
        (
            "Hosts     9 known: ",
            &["1 lost", "2 not done yet", "1 up by waiver"][..],
        ),
        (
            "! web05 ",
            &["lost", "last heard of ", "the state folder is full"],
        ),
        (
            "< 2 hosts ",
            &[
                "not done yet",
                "web ordered down by alice",
                "it has not heard of it",
                "(web02, web03)",
            ],
        ),
        (
            "- web06 ",
            &["down", "all locally by carol: bad RAM, ticket OPS-2291"],
        ),
        (
            "~ web01 ",
            &["partly down", "web by alice@ops1: new disk", "until "],
        ),
        ("~ web07 ", &["web in roll r-5k2: command since "]),
        ("~ api02 ", &["api:8080 locally by dave: one instance"]),
        (
            "> web04 ",
            &["up by waiver", "web waived by bob: last one standing"],
        ),
        ("+ api01 ", &["up"]),
        ("! web ", &["1 of 7 up"]),
        (
            "  web on zone=a,b down by alice@ops1",
            &[
                "new disk",
                "done it, 1 lost, 1 waived, not yet web02, web03",
            ],
        ),
        ("  r-5k2 by deploy@ops1", &["web07 web: command since "]),
        ("Rolls     2 under way", &[]),
        (
            "    $ hacheck fleet forget web05",
            &["# if it is gone for good"],
        ),
        (
            "    web02$ systemctl status hacheck",
            &["# tells why it does not"],
        ),
        ("    web06$ haup --wait all", &["# puts it back"]),
        (
            "    $ hacheck fleet release -r WHY web07",
            &["# if its roll is gone"],
        ),
        (
            "    $ hadown --fleet -r WHY --where zone=a,b web",
            &["no waiver holds then"],
        ),
        ("    $ haup --fleet --where zone=a,b web", &["# lifts it"]),
    ] {
        let line = line(text, begin);
        for part in parts {
            assert!(line.contains(part), "{part:?} in {line:?}");
        }
    }
}

#[test]
fn json_is_the_answer_of_the_page_with_every_host() {
    let scene = Scene::busy();
    let ran = scene.run(&["-o", "json"]);
    let answer: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&answer["page"], &answer["fleet"]),
        (&json!(1), &json!("test"))
    );
    assert_eq!(answer["sums"]["hosts"], 9);
    assert_eq!(answer["engine"]["error"], Value::Null);
    let hosts = answer["hosts"].as_array().unwrap();
    assert_eq!((hosts.len(), &hosts[0]["state"]), (9, &json!("lost")));
    let ran = scene.run(&["-o", "tsv", "--where", "zone=c"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(
        lines[0].starts_with("partly down\tapi02\tapi:8080 locally by dave"),
        "{lines:?}"
    );
    assert_eq!((lines[1], lines.len()), ("up\tapi01\t", 2));
    let ran = scene.run(&["--hosts", "web05"]);
    assert!(ran.out.contains("Hosts     1 known: 1 lost"), "{}", ran.out);
}

#[test]
fn an_engine_that_cannot_be_read_is_a_failure() {
    let mut scene = Scene::quiet();
    let ran = scene.run(&[]);
    assert!(
        ran.out
            .starts_with(" test  Every service has all its hosts. "),
        "{}",
        ran.out
    );
    scene.kill_all();
    for args in [&[][..], &["-o", "json"]] {
        let ran = scene.run(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.contains("etcd cannot be reached"), "{}", ran.err);
    }
}

#[test]
fn on_a_terminal_it_is_drawn_again_and_q_quits() {
    let mut scene = Scene::quiet();
    let mut terminal = on_terminal(&scene, &[]);
    terminal.wait_for("+ 3 hosts ");
    scene = scene.reports("web02", "all", "local", "carol", "bad RAM");
    terminal.wait_for("- web02 ");
    terminal.wait_for("    web02$ haup --wait all");
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
    terminal.is_given_back();
    drop(scene);
}

#[test]
fn an_engine_that_is_gone_or_hangs_is_the_first_line_until_it_is_back() {
    let scene = Scene::quiet();
    let mut terminal = on_terminal(&scene, &[]);
    terminal.wait_for("+ 3 hosts ");
    (0..MEMBERS).for_each(|member| scene.etcd.freeze(member));
    let is_old = |terminal: &Terminal| terminal.screen()[0].starts_with("! what stands here is ");
    wait_until(PATIENCE, "it says that it is old", || is_old(&terminal));
    // What was known stays.
    terminal.wait_for("+ 3 hosts ");
    (0..MEMBERS).for_each(|member| scene.etcd.thaw(member));
    wait_until(PATIENCE, "it is new again", || !is_old(&terminal));
    (0..MEMBERS).for_each(|member| scene.etcd.freeze(member));
    wait_until(PATIENCE, "it says that it is old again", || {
        is_old(&terminal)
    });
    // The question that hangs keeps nobody from quitting.
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(1));
    terminal.is_given_back();
    terminal.wait_until_output("etcd did not answer within 6 s");
}

#[test]
fn it_fits_small_screens_and_other_terminals() {
    let scene = Scene::busy();
    let mut terminal = on_terminal(&scene, &[]);
    terminal.wait_for("! web05 ");
    for (columns, rows) in [(60, 14), (80, 24)] {
        terminal.resize(columns, rows);
        let fits = || {
            let screen = terminal.screen();
            let is_narrow = screen
                .iter()
                .all(|line| line.chars().count() <= columns.into());
            is_narrow && screen.len() == usize::from(rows)
        };
        wait_until(PATIENCE, "it fits", fits);
        let last = terminal.screen().pop().unwrap();
        assert!(
            last.contains(" more lines; choose hosts by --where"),
            "{last}"
        );
    }
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
    let args = scene.args(&[]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut dumb = Terminal::run_as("dumb", &args);
    assert_eq!(dumb.ended(), Some(0));
    dumb.wait_until_output("! web05 ");
    assert!(!dumb.output().contains('\x1b'), "{:?}", dumb.output());
}

#[test]
fn in_tmux_it_is_bold_unless_no_color_says_so_and_leaves_the_screen_as_it_was() {
    let scene = Scene::busy();
    let daemon = Daemon::start();
    let tmux = Tmux::start(80, 24, &daemon);
    let line = format!("hacheck {}", scene.args(&[]).join(" "));
    for (before, is_bold) in [("", true), ("NO_COLOR=1 ", false)] {
        tmux.type_line(&format!("{before}{line}"));
        tmux.wait_for("! web05 ");
        assert_eq!(tmux.screen_with_escapes().contains("\x1b[1m"), is_bold);
        let widest = tmux.screen().iter().map(|l| l.chars().count()).max();
        assert!(widest <= Some(80), "{:?}", tmux.screen());
        tmux.press("q");
        tmux.wait_for_prompt();
        assert!(!tmux.screen().iter().any(|l| l.contains("! web05 ")));
    }
}

#[test]
fn what_hosts_and_operators_wrote_cannot_steer_the_terminal() {
    let scene = Scene::quiet()
        .host(
            "web01",
            "\x1b[2J",
            &json!({"services": ["\x1b[31mred", "a\u{202e}b"], "problems": ["\x07bell"]}),
        )
        .reports("web01", "all", "local", "\x1b]0;x\x07", "a\r\n\x1b[1mb");
    let ran = scene.run(&[]);
    assert!(ran.out.contains("a   [1mb"), "{}", ran.out);
    let steers = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    assert!(!ran.out.contains(steers), "{:?}", ran.out);
}
