//! Groups that are watched: states, actions, downtimes, reloads.

use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;

use crate::support::daemon::{Daemon, Setup};
use crate::support::{PATIENCE, TempDir, wait_until};

/// A service that is up while a file is there, and actions that note that they ran.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self {
            folder: TempDir::new(),
        }
    }

    fn set(&self, up: bool) {
        let flag = self.folder.file("up");
        if up {
            fs::write(flag, "").unwrap();
        } else {
            fs::remove_file(flag).unwrap();
        }
    }

    /// The command of a check that notes its runs.
    fn check(&self) -> String {
        format!(
            "exec: {{flag: [/bin/sh, -c, \"echo x >> {0}/checks; test -e {0}/up\"]}}\n",
            self.folder.path().display()
        )
    }

    fn action(&self, word: &str) -> String {
        format!(
            "[/bin/sh, -c, \"echo {word} >> {}/actions; echo did {word}\"]",
            self.folder.path().display()
        )
    }

    fn group(&self, more: &str) -> String {
        let (up, down) = (self.action("up"), self.action("down"));
        format!(
            "{}groups: {{node: {{checks: [exec:flag], every: 0.1, on_up: {up}, on_down: {down}, {more}}}}}\n",
            self.check()
        )
    }

    fn lines(&self, name: &str) -> Vec<String> {
        fs::read_to_string(self.folder.file(name))
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[track_caller]
    fn wait_for_actions(&self, expected: &[&str]) {
        wait_until(
            PATIENCE,
            &format!("actions {expected:?}, not {:?}", self.lines("actions")),
            || self.lines("actions") == expected,
        );
    }

    /// Waits for so many more checks.
    #[track_caller]
    fn wait_for_checks(&self, more: usize) {
        let enough = self.lines("checks").len() + more;
        wait_until(PATIENCE, "further checks", || {
            self.lines("checks").len() >= enough
        });
    }
}

fn is_dead(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[test]
fn each_action_runs_once_per_change_of_a_flapping_service() {
    let stage = Stage::new();
    stage.set(true);
    let daemon = Daemon::with_config(&stage.group("rise: 2, fall: 2"));
    let mut expected = vec!["up"];
    stage.wait_for_actions(&expected);
    for _ in 0..3 {
        stage.set(false);
        expected.push("down");
        stage.wait_for_actions(&expected);
        stage.wait_for_checks(3);
        stage.set(true);
        expected.push("up");
        stage.wait_for_actions(&expected);
        stage.wait_for_checks(3);
    }
    stage.wait_for_actions(&expected);
    assert_eq!(daemon.status("/groups/node/state"), "up");
    assert_eq!(daemon.status("/groups/node/last_action/end"), "exit code 0");
    assert_eq!(
        daemon.metric("hacheck_group_action_success{group=\"node\"}"),
        1.0
    );
    daemon.wait_for_log("group node: | did down");
    daemon.wait_for_log(
        "node is now DOWN: group node: 0 of 1 checks passed, 1 must; failed: exec:flag",
    );
}

#[test]
fn fewer_results_than_rise_and_fall_change_nothing() {
    let stage = Stage::new();
    stage.set(true);
    let text = stage.group("rise: 1, fall: 1000");
    let _daemon = Daemon::with_config(&text);
    stage.wait_for_actions(&["up"]);
    stage.set(false);
    stage.wait_for_checks(10);
    stage.wait_for_actions(&["up"]);
}

#[test]
fn a_failing_action_is_tried_again_until_it_succeeds() {
    let stage = Stage::new();
    stage.set(true);
    let script = format!(
        "echo try >> {0}/actions; test -e {0}/works",
        stage.folder.path().display()
    );
    let config = format!(
        "{}groups: {{node: {{checks: [exec:flag], every: 0.1, on_up: [/bin/sh, -c, \"{script}\"]}}}}\n",
        stage.check()
    );
    let daemon = Daemon::with_config(&config);
    wait_until(PATIENCE, "three tries", || {
        stage.lines("actions").len() >= 3
    });
    assert_eq!(daemon.status("/groups/node/last_action/end"), "exit code 1");
    fs::write(stage.folder.file("works"), "").unwrap();
    wait_until(PATIENCE, "success", || {
        daemon.status("/groups/node/last_action/good") == true
    });
    let tries = stage.lines("actions").len();
    stage.wait_for_checks(5);
    assert_eq!(
        stage.lines("actions").len(),
        tries,
        "an action that succeeded ran again"
    );
}

#[test]
fn a_hanging_action_is_killed_with_its_children_and_checks_go_on_meanwhile() {
    let stage = Stage::new();
    stage.set(true);
    let script = format!(
        "sleep 600 & echo $$ $! >> {}/pids; trap '' TERM; wait",
        stage.folder.path().display()
    );
    let config = format!(
        "{}groups: {{node: {{checks: [exec:flag], every: 0.1, action_timeout: 2, on_up: [/bin/sh, -c, \"{script}\"]}}}}\n",
        stage.check()
    );
    let daemon = Daemon::with_config(&config);
    wait_until(PATIENCE, "the action runs", || {
        !stage.lines("pids").is_empty()
    });
    stage.wait_for_checks(5);
    assert_eq!(
        stage.lines("pids").len(),
        1,
        "two actions of a group ran at the same time"
    );
    daemon.wait_for_log("killed after 2.00s, action_timeout");
    let pids = stage.lines("pids")[0].clone();
    wait_until(PATIENCE, "leader and child are dead", || {
        pids.split(' ').all(is_dead)
    });
}

#[test]
fn an_action_that_forks_a_child_which_holds_the_pipe_open_is_done_when_it_ends() {
    let stage = Stage::new();
    stage.set(true);
    let script = format!(
        "sleep 600 & echo $! > {}/pid",
        stage.folder.path().display()
    );
    let config = format!(
        "{}groups: {{node: {{checks: [exec:flag], every: 0.1, on_up: [/bin/sh, -c, \"{script}\"]}}}}\n",
        stage.check()
    );
    let daemon = Daemon::with_config(&config);
    wait_until(PATIENCE, "the action is done", || {
        daemon.status("/groups/node/last_action")["good"] == true
    });
    let pid = stage.lines("pid")[0].clone();
    assert!(!is_dead(&pid), "a daemon that an action started was killed");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid.parse().unwrap()),
        Signal::SIGKILL,
    )
    .unwrap();
}

#[test]
fn a_failing_group_takes_a_service_down_and_lifts_only_its_own_downtime() {
    let stage = Stage::new();
    let daemon = Daemon::with_config(&stage.group("down_spool: web"));
    wait_until(PATIENCE, "web is down", || {
        daemon.get("/spool/web/0").status == 503
    });
    daemon.get("/spool/web/0").says(
        503,
        ": group node: 0 of 1 checks passed, 1 must; failed: exec:flag",
    );
    stage.set(true);
    wait_until(PATIENCE, "web is up", || {
        daemon.get("/spool/web/0").status == 200
    });
    // An operator's downtime is neither replaced nor lifted.
    daemon.run("hadown", &["-r", "mine", "web"]).is(0, "");
    stage.set(false);
    wait_until(PATIENCE, "the group is down", || {
        daemon.status("/groups/node/state") == "down"
    });
    stage.wait_for_checks(3);
    daemon.get("/spool/web/0").says(503, ": mine");
    stage.set(true);
    wait_until(PATIENCE, "the group is up", || {
        daemon.status("/groups/node/state") == "up"
    });
    stage.wait_for_checks(3);
    daemon.get("/spool/web/0").says(503, ": mine");
}

#[test]
fn a_downtime_that_a_killed_daemon_left_is_lifted_by_the_next_one() {
    let stage = Stage::new();
    let text = stage.group("down_spool: web");
    let mut daemon = Daemon::with_config(&text);
    wait_until(PATIENCE, "web is down", || {
        daemon.get("/spool/web/0").status == 503
    });
    daemon.process.signal(Signal::SIGKILL);
    daemon.process.wait(PATIENCE);
    let spool = daemon.spool;
    stage.set(true);
    let mut setup = Setup::new().config(text);
    setup.spool = spool;
    let daemon = setup.start();
    wait_until(PATIENCE, "web is up", || {
        daemon.get("/spool/web/0").status == 200
    });
}

#[test]
fn a_reload_starts_stops_and_retimes_watches_and_keeps_the_state_of_the_others() {
    let stage = Stage::new();
    stage.set(true);
    let keep = format!(
        "keep: {{checks: [exec:flag], every: 0.1, on_up: {}}}",
        stage.action("keep")
    );
    let config = |groups: &str| format!("{}groups: {{{keep}, {groups}}}\n", stage.check());
    let word = |name: &str| {
        format!(
            "{name}: {{checks: [exec:flag], every: 0.1, on_up: {}, down_spool: {name}}}",
            stage.action(name)
        )
    };
    let daemon = Daemon::with_config(&config(&word("old")));
    wait_until(PATIENCE, "both acted", || stage.lines("actions").len() == 2);
    let changed = daemon.status("/groups/keep/changed");
    let read = "configuration read from";
    daemon.reload(&config(&word("new")), read);
    wait_until(PATIENCE, "the new one acted", || {
        stage.lines("actions").len() == 3
    });
    assert_eq!(stage.lines("actions")[2], "new");
    daemon.wait_for_log("group old is not watched any more");
    assert_eq!(daemon.get("/group/old/0").status, 404);
    // A watch that is changed keeps its state too: nothing is done anew.
    let slow = word("new").replace("every: 0.1", "every: 1000");
    daemon.reload(&config(&slow), read);
    daemon.wait_for_log("group new: its configuration has changed");
    stage.wait_for_checks(6);
    assert_eq!(stage.lines("actions").len(), 3);
    assert_eq!(daemon.status("/groups/keep/changed"), changed);
    let checked = daemon.status("/groups/new/checked");
    stage.wait_for_checks(3);
    assert_eq!(
        daemon.status("/groups/new/checked"),
        checked,
        "it is still checked ten times a second"
    );
    daemon.reload(&config(&word("new")), read);
    wait_until(PATIENCE, "it is checked again", || {
        daemon.status("/groups/new/checked") != checked
    });
}

#[test]
fn a_reload_opens_and_closes_listeners_and_lifts_the_downtimes_of_groups_that_are_gone() {
    use crate::support::server::free_port;
    let stage = Stage::new();
    let (first, second) = (free_port(), free_port());
    let group = |port: u16| stage.group(&format!("down_spool: web, listen: 127.0.0.1:{port}"));
    let daemon = Daemon::with_config(&group(first));
    let asks = |port: u16| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    wait_until(PATIENCE, "the listener is there", || asks(first));
    assert!(!asks(second));
    wait_until(PATIENCE, "web is down", || {
        daemon.get("/spool/web/0").status == 503
    });
    daemon.reload(&group(second), "configuration read from");
    wait_until(PATIENCE, "the listener moved", || {
        asks(second) && !asks(first)
    });
    daemon.reload("cache_time: 1\n", "configuration read from");
    wait_until(PATIENCE, "the listener is gone", || !asks(second));
    wait_until(PATIENCE, "web is up", || {
        daemon.get("/spool/web/0").status == 200
    });
}

#[test]
fn an_action_gets_no_variable_of_the_daemons_environment_that_is_not_listed() {
    let stage = Stage::new();
    let file = stage.folder.file("env");
    let text = format!(
        "exec_environment: [ORACLE_HOME]\n\
         groups: {{node: {{checks: [tcp://localhost:1], every: 60, on_down: [/bin/sh, -c, \"env > {}; echo done\"]}}}}\n",
        file.display()
    );
    let daemon = Setup::new()
        .config(text)
        .env("MYSQL_PWD", "hunter2")
        .env("ORACLE_HOME", "/opt/oracle")
        .start();
    daemon.wait_for_log("group node: | done");
    let variables = fs::read_to_string(file).unwrap();
    assert!(!variables.contains("hunter2"), "{variables}");
    for given in ["HACHECK_STATE=down\n", "ORACLE_HOME=/opt/oracle\n", "PATH="] {
        assert!(variables.contains(given), "{given}: {variables}");
    }
}
