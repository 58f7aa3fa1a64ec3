//! `hacheck top`: what it shows, on a terminal and off it.

use std::time::Duration;

use crate::page::situations::Host;
use crate::support::daemon::{Daemon, Setup};
use crate::support::terminal::Terminal;
use crate::support::{PATIENCE, Ran, run, wait_until};

fn top(daemon: &Daemon, args: &[&str]) -> Ran {
    let port = daemon.address.port().to_string();
    run("hacheck", &[&["top", "-p", &port], args].concat())
}

/// On a terminal of 80 columns.
fn top_on_terminal(daemon: &Daemon, args: &[&str]) -> Terminal {
    let port = daemon.address.port().to_string();
    Terminal::run(&[&["top", "-p", &port], args].concat())
}

/// Waits until a service is shown with these words.
fn shows(daemon: &Daemon, service: &str, words: &str) -> Vec<String> {
    let mut lines = Vec::new();
    wait_until(PATIENCE, words, || {
        let ran = top(daemon, &[]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        lines = ran.out.lines().map(str::to_owned).collect();
        lines
            .iter()
            .any(|l| l.contains(&format!(" {service} ")) && l.contains(words))
    });
    lines
}

#[test]
fn it_prints_the_state_once_where_there_is_no_terminal() {
    let host = Host::quiet().polled();
    let lines = shows(&host.daemon, "web", "in rotation");
    assert!(
        lines[0].contains("In rotation: all 2 services take traffic."),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("+ api "), "{lines:?}");
    assert!(lines[1].ends_with("lb1, lb2"), "{lines:?}");
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[test]
fn a_service_that_is_down_tells_who_why_and_who_has_sessions_left() {
    let host = Host::quiet().polled().sessions(9).down("deploy 413", "web");
    let lines = shows(&host.daemon, "web", "draining");
    let service = lines.iter().find(|l| l.starts_with("~ web")).unwrap();
    assert!(service.contains("deploy 413, "), "{service}");
    let balancer = lines.iter().find(|l| l.starts_with("    lb1")).unwrap();
    for part in ["DOWN", "9 of 9 sessions", "polled 0.", "every 0."] {
        assert!(balancer.contains(part), "{part} in {balancer}");
    }
    assert_eq!(
        lines.len(),
        5,
        "the worst first, pollers only of what wants a look: {lines:?}"
    );
    host.daemon
        .run("hadown", &["-r", "kernel", "all"])
        .is(0, "");
    shows(&host.daemon, "api", "with the whole host");
    let told = "the whole host was taken down";
    wait_until(PATIENCE, told, || {
        let ran = top(&host.daemon, &[]);
        let head = ran.out.lines().next().unwrap();
        head.contains(told) && head.contains(": kernel")
    });
}

#[test]
fn failures_and_unreadable_spools_are_shown_and_exit_0() {
    let host = Host::answering("500 Oh", "database is gone").polled();
    let lines = shows(&host.daemon, "web", "failing");
    let service = lines.iter().find(|l| l.starts_with("! web")).unwrap();
    assert!(service.ends_with("500 database is gone"), "{service}");
    let root = host.daemon.spool.root();
    std::fs::rename(&root, root.with_extension("gone")).unwrap();
    let lines = shows(&host.daemon, "web", "failing");
    assert!(
        lines.iter().any(|l| l.contains("SPOOL UNREADABLE")),
        "{lines:?}"
    );
}

#[test]
fn only_the_services_that_are_named_are_shown() {
    let host = Host::quiet().polled();
    let ran = top(&host.daemon, &["web:80", "nope"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[1].starts_with("+ web "), "{lines:?}");
    assert_eq!(lines[2], "? nope: no load balancer asks for it");
    assert_eq!((lines.len(), ran.code), (3, Some(0)));
    let json = top(&host.daemon, &["-o", "json", "web"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["services"].as_array().unwrap().len(), 1);
}

#[test]
fn wrong_words_and_a_daemon_that_is_not_there_are_told() {
    let daemon = Setup::new().config("page_from: []\n").start();
    let ran = top(&daemon, &["-o", "xml"]);
    assert!(
        ran.err
            .contains("\"xml\" is not a format; give text or json"),
        "{}",
        ran.err
    );
    assert_eq!(ran.code, Some(2));
    assert_eq!(top(&daemon, &["a/b"]).code, Some(2));
    let ran = top(&daemon, &[]);
    assert!(ran.err.contains("page_from is empty"), "{}", ran.err);
    assert_eq!(ran.code, Some(1));
    let port = daemon.address.port().to_string();
    drop(daemon);
    let ran = run("hacheck", &["top", "-p", &port]);
    assert!(
        ran.err.contains("no hacheck answers on port"),
        "{}",
        ran.err
    );
    assert_eq!(ran.code, Some(1));
}

#[test]
fn on_a_terminal_it_is_drawn_again_and_q_quits() {
    let host = Host::quiet().polled();
    let mut terminal = top_on_terminal(&host.daemon, &[]);
    terminal.wait_for("+ web ");
    host.daemon
        .run("hadown", &["-r", "new disk", "web"])
        .is(0, "");
    terminal.wait_for("- web ");
    terminal.wait_for("new disk");
    let widest = terminal.screen().iter().map(|l| l.chars().count()).max();
    assert!(widest <= Some(80), "{:?}", terminal.screen());
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
    terminal.is_given_back();
}

#[test]
fn ctrl_c_and_sigterm_leave_the_terminal_as_it_was() {
    let daemon = Daemon::start();
    let mut terminal = top_on_terminal(&daemon, &[]);
    terminal.wait_for("No load balancer asks this host.");
    assert!(!terminal.is_as_before());
    terminal.press("\x03");
    assert_eq!(terminal.ended(), Some(0));
    terminal.is_given_back();
    let mut terminal = top_on_terminal(&daemon, &[]);
    terminal.wait_for("No load balancer asks this host.");
    terminal.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(terminal.ended(), Some(0));
    terminal.is_given_back();
}

#[test]
fn it_fills_a_terminal_of_another_size_at_once() {
    let host = Host::quiet().polled();
    let mut terminal = top_on_terminal(&host.daemon, &[]);
    terminal.wait_for("+ web ");
    terminal.resize(30, 2);
    terminal.wait_for("  and 2 more lines");
    assert!(terminal.screen().iter().all(|l| l.chars().count() <= 30));
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
}

#[test]
fn a_daemon_that_is_gone_or_hangs_is_told_and_q_still_quits_at_once() {
    let host = Host::quiet().polled();
    let mut terminal = top_on_terminal(&host.daemon, &[]);
    terminal.wait_for("+ web ");
    host.daemon
        .process
        .signal(nix::sys::signal::Signal::SIGSTOP);
    // The question that hangs is under way when q is pressed.
    terminal.wait_for("did not answer within 3 s");
    // The screen may be looked at while it is drawn.
    terminal.wait_for("! what stands here is old: ");
    terminal.wait_for("+ web ");
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
    host.daemon
        .process
        .signal(nix::sys::signal::Signal::SIGKILL);
}

#[test]
fn a_terminal_that_can_put_its_cursor_nowhere_gets_the_state_once() {
    let daemon = Daemon::start();
    let port = daemon.address.port().to_string();
    let mut terminal = Terminal::run_as("dumb", &["top", "-p", &port]);
    assert_eq!(terminal.ended(), Some(0));
    terminal.wait_until_output("No load balancer asks this host.");
    assert!(
        !terminal.output().contains('\x1b'),
        "{:?}",
        terminal.output()
    );
}

#[test]
fn where_no_color_is_wanted_nothing_is_bold_and_it_is_drawn_all_the_same() {
    let host = Host::quiet().polled();
    let port = host.daemon.address.port().to_string();
    // An empty one is none (https://no-color.org).
    for (no_color, is_bold) in [("", true), ("1", false)] {
        let variables = [("NO_COLOR", no_color)];
        let mut terminal = Terminal::run_with(&variables, &["top", "-p", &port]);
        terminal.wait_for("+ web ");
        let screen = terminal.output();
        assert_eq!(screen.contains("\x1b[1m"), is_bold, "{screen:?}");
        // No colour in either case: the signs at the begin of lines tell the states.
        assert!(!screen.contains("\x1b[3"), "{screen:?}");
        terminal.press("q");
        assert_eq!(terminal.ended(), Some(0));
        terminal.is_given_back();
    }
}

#[test]
fn ctrl_z_gives_the_terminal_back_until_it_goes_on() {
    let daemon = Daemon::start();
    let mut terminal = top_on_terminal(&daemon, &[]);
    terminal.wait_for("No load balancer asks this host.");
    terminal.signal(nix::sys::signal::Signal::SIGTSTP);
    wait_until(
        Duration::from_secs(20),
        "the terminal is given back",
        || terminal.is_as_before(),
    );
    terminal.signal(nix::sys::signal::Signal::SIGCONT);
    wait_until(Duration::from_secs(20), "it is taken over again", || {
        !terminal.is_as_before()
    });
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
}
