//! The table that `--wait` and `haroll` draw while they wait, on real terminals of several sizes and kinds.

use crate::support::balancer::Balancer;
use crate::support::daemon::Daemon;
use crate::support::tmux::Tmux;

/// A daemon and its balancers: some that go by what they are told, and some that never do.
struct Site {
    daemon: Daemon,
    _balancers: Vec<Balancer>,
}

impl Site {
    #[track_caller]
    fn start(obedient: &[&str], stuck: &[&str]) -> Self {
        let daemon = Daemon::start();
        let address = daemon.address;
        let obeys = |node: &&str| Balancer::start(address, node, CHECKS);
        let is_stuck = |node: &&str| Balancer::stuck(address, node, CHECKS, true);
        let count = obedient.len() + stuck.len();
        let balancers = obedient.iter().map(obeys).chain(stuck.iter().map(is_stuck));
        let site = Self {
            _balancers: balancers.collect(),
            daemon,
        };
        site.daemon.knows_pollers(count);
        site
    }

    fn many() -> Self {
        let names: Vec<String> = (0..40).map(|n| format!("lb{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Self::start(&names, &["balancer-that-is-stuck.eu-west-1a.example.com"])
    }
}

const CHECKS: &[&str] = &["/spool/web/8080"];

const WAIT: &str = "hadown --min-pollers 0 --wait --timeout 30 -r disk web";

fn position(lines: &[String], text: &str) -> Option<usize> {
    lines.iter().position(|line| line.contains(text))
}

/// The line that counts who has acted.
fn head(lines: &[String]) -> Option<String> {
    let at = position(lines, "40 of 41 balancers have acted, ")?;
    Some(lines[at].clone())
}

fn count(lines: &[String], text: &str) -> usize {
    lines.iter().filter(|line| line.contains(text)).count()
}

#[test]
fn states_come_first_and_the_last_sentence_says_what_is_so() {
    let site = Site::start(&["lb1", "lb2"], &[]);
    let tmux = Tmux::start(80, 24, &site.daemon);
    tmux.type_line(WAIT);
    tmux.wait_for("down since ");
    tmux.wait_for_prompt();
    let screen = tmux.screen();
    assert!(
        screen[1].starts_with("2 of 2 balancers have acted, ") && screen[1].ends_with(" s of 30 s"),
        "{screen:#?}"
    );
    assert_eq!(screen[2], "  done     lb1 web/s1  sees DOWN", "{screen:#?}");
    assert_eq!(screen[3], "  done     lb2 web/s1  sees DOWN", "{screen:#?}");
    let last = "hadown: web is out of rotation on lb1, lb2; drained; down since ";
    assert!(
        screen[4].starts_with(last) && screen[4].contains(" by "),
        "{screen:#?}"
    );
    tmux.type_line("clear; haup --min-pollers 0 --wait web");
    tmux.wait_for("haup: web is in rotation on lb1, lb2");
}

#[test]
fn more_balancers_than_lines_are_counted_and_nothing_spills_into_the_history() {
    let site = Site::many();
    for (columns, rows, hidden) in [(80, 24, 20), (60, 14, 30)] {
        let tmux = Tmux::start(columns, rows, &site.daemon);
        tmux.type_line(WAIT);
        tmux.wait_for("40 of 41 balancers have acted, ");
        let drawn = head(&tmux.screen());
        // Each second, whichever it is.
        tmux.wait_until("it is drawn again", |screen| {
            let again = head(screen);
            again.is_some() && again != drawn
        });
        let screen = tmux.screen();
        let head = position(&screen, "40 of 41").unwrap();
        let first = &screen[head + 1];
        assert!(first.starts_with("  waiting  balance"), "{screen:#?}");
        assert!(first.contains("web/s1  still sees UP"), "{screen:#?}");
        assert!(screen[head + 2].starts_with("  done     lb"), "{screen:#?}");
        assert_eq!(screen.last().unwrap(), &format!("  and {hidden} more"));
        let all = tmux.all();
        assert_eq!(count(&all, " balancers have acted"), 1, "{all:#?}");
        assert_eq!(count(&all, "waiting"), 1, "{all:#?}");
        tmux.press("C-c");
        tmux.wait_for_prompt();
        let end = tmux.all();
        assert!(
            position(&end, "hadown: interrupted (SIGINT)").is_some(),
            "{end:#?}"
        );
        site.daemon.run("haup", &["web"]).code_is(0);
    }
}

#[test]
fn a_terminal_that_is_resized_gets_a_table_of_its_new_size() {
    let site = Site::many();
    let tmux = Tmux::start(80, 24, &site.daemon);
    tmux.type_line(WAIT);
    tmux.wait_for("and 20 more");
    tmux.resize(60, 14);
    tmux.wait_for("and 30 more");
    let screen = tmux.screen();
    assert!(
        screen.iter().all(|line| line.chars().count() <= 60),
        "{screen:#?}"
    );
    tmux.resize(100, 30);
    tmux.wait_for("and 14 more");
    assert_eq!(
        count(&tmux.screen(), "balancers have acted"),
        1,
        "{:#?}",
        tmux.screen()
    );
    tmux.press("C-c");
    tmux.wait_for_prompt();
}

#[test]
fn a_wait_that_was_stopped_draws_below_what_the_shell_wrote() {
    let site = Site::start(&[], &["lb1"]);
    let tmux = Tmux::start(80, 24, &site.daemon);
    tmux.type_line(WAIT);
    tmux.wait_for("0 of 1 balancer has acted, ");
    tmux.press("C-z");
    tmux.wait_for("Stopped");
    tmux.wait_for_prompt();
    tmux.type_line("fg");
    tmux.wait_until("the table is drawn again", |screen| {
        count(screen, "0 of 1 balancer has acted, ") == 2
    });
    let screen = tmux.screen();
    let stopped = position(&screen, "Stopped").unwrap();
    assert!(count(&screen, "$ fg") == 1 && stopped > 2, "{screen:#?}");
    tmux.press("C-c");
    tmux.wait_for_prompt();
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_a_line_for_each_change() {
    let site = Site::start(&["lb1"], &[]);
    for kind in ["TERM=dumb", "TERM="] {
        let tmux = Tmux::start(80, 24, &site.daemon);
        tmux.type_line(&format!("{kind} {WAIT}"));
        tmux.wait_for("down since ");
        tmux.wait_for_prompt();
        let screen = tmux.screen();
        assert!(
            position(&screen, "hadown: lb1 web/s1: done, sees DOWN").is_some(),
            "{screen:#?}"
        );
        assert_eq!(count(&screen, "balancer has acted"), 0, "{screen:#?}");
        site.daemon.run("haup", &["web"]).code_is(0);
    }
}

#[test]
fn nothing_is_bold_where_no_color_is_wanted() {
    let site = Site::start(&["lb1"], &[]);
    for (environment, is_bold) in [("", true), ("NO_COLOR=1 ", false)] {
        let tmux = Tmux::start(80, 24, &site.daemon);
        tmux.type_line(&format!("{environment}{WAIT}"));
        tmux.wait_for("down since ");
        assert_eq!(tmux.screen_with_escapes().contains("\x1b[1m"), is_bold);
        site.daemon.run("haup", &["web"]).code_is(0);
    }
}
