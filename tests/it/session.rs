//! An operator's day before two real HAProxies, typed into a shell at 80×24 and at 60×14. `HACHECK_WRITE_SESSION=1 cargo test
//! session` records what the screens showed in tests/data, for people to read.

use std::fs;

use crate::support::tmux::Tmux;
use crate::support::{PATIENCE, wait_until};
use crate::wait::Site;

/// What is typed, and what has to be read for it.
const DAY: &[(&str, &[&str])] = &[
    ("hastatus web", &["UP      web"]),
    (
        "halist --pollers web",
        &["lb1 web/s1 every ", "lb2 web/s1 every "],
    ),
    (
        "hadown --wait=drained -r 'new disk' --for 2h web",
        &[
            "2 of 2 balancers have acted, 2 done, ",
            "  done     lb1 web/s1  sees DOWN",
            "hadown: web is out of rotation on lb1, lb2; ",
            "; down since ",
            " by alice",
        ],
    ),
    ("hashowdowned", &["STATE  SERVICE  SINCE", "DOWN   web "]),
    ("hastatus web", &["DOWN    ", "web     new disk"]),
    ("haup --wait web", &["haup: web is in rotation on lb1, lb2"]),
    (
        "haroll web -- echo restarted",
        &[
            "haroll: web: command after ",
            "restarted",
            "haroll: the check passed 3 of 3 times",
            "haroll: web is in rotation on lb1, lb2",
            "haroll: done: down ",
        ],
    ),
    (
        "hadown --wait -r 'new disk' wbe",
        &["hadown: nobody polls 'wbe' here; polled: web (did you mean web?)"],
    ),
    ("haup wbe", &["nobody polls 'wbe' here"]),
    ("hadown -r 'new kernel' all", &[]),
    (
        "haup --wait web",
        &[
            "haup: web is still held by the downtime of all since ",
            ", by alice, for \"new kernel\"; 'haup all' lifts it",
        ],
    ),
    (
        "haup --wait all",
        &["haup: the whole host is in rotation on lb1, lb2"],
    ),
];

#[test]
fn an_operators_day_reads_well_on_large_and_small_screens() {
    let site = Site::start();
    let _balancers = [
        site.balancer("lb1", "", "inter 100ms fall 2"),
        site.balancer("lb2", "", "inter 300ms fall 3"),
    ];
    site.known(&["lb1", "lb2"]);
    wait_until(PATIENCE, "the daemon knows all who poll", || {
        site.daemon.get("/pollers").json()["now"].as_f64() > Some(30.0)
    });
    for (columns, rows) in [(80, 24), (60, 14)] {
        let tmux = Tmux::start(columns, rows, &site.daemon);
        for (command, texts) in DAY {
            type_and_read(&tmux, command, texts);
        }
        let shown = tmux.all().join("\n");
        assert!(!shown.contains("panicked"), "{shown}");
        if std::env::var_os("HACHECK_WRITE_SESSION").is_some() {
            let file = format!("tests/data/session-{columns}x{rows}.txt");
            fs::write(file, shown + "\n").unwrap();
        }
    }
}

#[track_caller]
fn type_and_read(tmux: &Tmux, command: &str, texts: &[&str]) {
    let before = tmux.unwrapped().len();
    tmux.type_line(command);
    // One that ends at once may not have begun when the last prompt is looked at.
    tmux.wait_until("the command has run", |_| tmux.unwrapped().len() > before);
    tmux.wait_for_prompt();
    let all = tmux.unwrapped();
    let answer = all[before - 1..].join("\n");
    for text in texts {
        assert!(answer.contains(text), "no {text:?} in:\n{answer}");
    }
}
