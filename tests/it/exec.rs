//! `exec`: commands of the configuration, through the daemon.

use std::fs;

use crate::support::client;
use crate::support::daemon::{Daemon, Setup};
use crate::support::{PATIENCE, TempDir, run, timed_out_after, until_there, wait_until};

/// A daemon with `zk` and other commands made of shell scripts.
fn daemon(scripts: &[(&str, &str)]) -> Daemon {
    let mut text = String::from("cache_time: 0\nhealthcheck_timeout: 20\nexec:\n");
    for (name, script) in scripts {
        text += &format!(
            "  {name}: [/bin/sh, -c, {}]\n",
            serde_json::to_string(script).unwrap()
        );
    }
    Setup::new().config(text).start()
}

#[test]
fn exit_code_zero_passes_and_the_first_line_is_the_body() {
    let daemon = daemon(&[
        ("ok", "echo 'ZK OK - leader|x=1'; echo more"),
        ("warning", "echo 'ZK WARNING - slow'; exit 1"),
        ("critical", "echo 'ZK CRITICAL - gone' >&2; exit 2"),
        ("silent", "exit 3"),
        ("signal", "kill -9 $$"),
        ("odd", "exit 77"),
    ]);
    daemon.get("/exec/zk/2181/ok").is(200, "ZK OK - leader|x=1");
    daemon
        .get("/exec/zk/0/warning")
        .is(503, "ZK WARNING - slow");
    daemon
        .get("/exec/zk/0/critical/")
        .is(503, "ZK CRITICAL - gone");
    daemon
        .get("/exec/zk/0/silent")
        .is(503, "exec silent: exit code 3 (UNKNOWN), no output");
    daemon
        .get("/exec/zk/0/signal")
        .is(503, "exec signal: killed by SIGKILL, no output");
    daemon
        .get("/exec/zk/0/odd")
        .is(503, "exec odd: exit code 77, no output");
    assert_eq!(
        daemon.get("/exec/zk/0/critical").phrase,
        "ZK CRITICAL - gone"
    );
    daemon.wait_for_log("(exec critical: exit code 2 (CRITICAL)) ZK CRITICAL - gone");
}

#[test]
fn nothing_of_a_request_reaches_the_command_but_service_host_and_port() {
    let script = "env | grep -E '^HACHECK_(HOST|PORT|SERVICE)=' | sort | tr '\\n' ' '; env | grep -c evil; tr '\\0' ' ' < /proc/$$/cmdline | tail -n 1";
    let daemon = daemon(&[("env", script)]);
    let headers = [
        ("X-Evil", "evil; id"),
        ("Host", "evil"),
        ("User-Agent", "evil"),
    ];
    let body = daemon
        .get_with("/exec/zk.main/2181/env/$(evil%20x)?a=`evil`", &headers)
        .body;
    assert_eq!(
        body,
        "HACHECK_HOST=127.0.0.1 HACHECK_PORT=2181 HACHECK_SERVICE=zk.main 0"
    );
    let state = "UP; address=10.1.2.3; port=99; name=b/s";
    let body = daemon
        .get_with("/exec/zk/1/env", &[("X-Haproxy-Server-State", state)])
        .body;
    assert!(
        body.contains("HACHECK_HOST=10.1.2.3 HACHECK_PORT=99 "),
        "{body}"
    );
}

#[test]
fn of_the_daemons_environment_a_command_gets_what_is_listed_and_no_secret() {
    let text = "exec_environment: [ORACLE_HOME, NOT_SET_ANYWHERE]\nredis_password: ${HACHECK_REDIS}\n\
                exec: {env: [/bin/sh, -c, \"env | sort | tr '\\\\n' ' '\"]}\n";
    let daemon = Setup::new()
        .config(text)
        .env("MYSQL_PWD", "hunter2")
        .env("AWS_SECRET_ACCESS_KEY", "hunter2")
        .env("HACHECK_REDIS", "hunter2")
        .env("HACHECK_SITE", "berlin")
        .env("ORACLE_HOME", "/opt/oracle")
        .env("LANG", "C.UTF-8")
        .start();
    let body = daemon.get("/exec/zk/2181/env").body;
    for kept in [
        "MYSQL_PWD",
        "AWS_SECRET",
        "HACHECK_REDIS",
        "hunter2",
        "CARGO",
    ] {
        assert!(!body.contains(kept), "{kept}: {body}");
    }
    for given in [
        "HACHECK_PORT=2181 ",
        "HACHECK_SITE=berlin ",
        "ORACLE_HOME=/opt/oracle ",
        "LANG=C.UTF-8 ",
        "PATH=",
        "TZ=UTC0",
    ] {
        assert!(body.contains(given), "{given}: {body}");
    }
}

#[test]
fn hosts_outside_of_check_hosts_are_not_handed_to_a_command() {
    let daemon = daemon(&[("env", "echo ran")]);
    daemon
        .get_with("/exec/zk/1/env", &[("X-Nerve-Check-IP", "169.254.169.254")])
        .says(403, "may not be checked from here");
}

#[test]
fn an_unknown_command_is_404_and_only_the_log_names_the_known_ones() {
    let daemon = daemon(&[("a", "true"), ("b", "true")]);
    daemon
        .get("/exec/zk/0/zk")
        .is(404, "exec: the configuration has no command 'zk'");
    daemon
        .get("/exec/zk/0/")
        .is(404, "exec: the configuration has no command ''");
    Daemon::start()
        .get("/exec/zk/0/x")
        .is(404, "exec: the configuration has no command 'x'");
}

#[test]
fn a_made_up_query_or_path_does_not_multiply_runs() {
    let folder = TempDir::new();
    let runs = folder.path().join("runs");
    let script = format!("echo run >> {}", runs.display());
    let text = format!("exec:\n  count: [/bin/sh, -c, \"{script}\"]\n");
    let daemon = Setup::new().config(text).start();
    for path in ["count", "count/", "count/x", "count?a=1", "count/y?b"] {
        assert_eq!(daemon.get(&format!("/exec/zk/0/{path}")).status, 200);
    }
    assert_eq!(fs::read_to_string(&runs).unwrap(), "run\n");
    assert_eq!(daemon.get("/exec/other/0/count").status, 200);
    assert_eq!(fs::read_to_string(&runs).unwrap(), "run\nrun\n");
}

#[test]
fn a_command_is_killed_with_its_children_at_the_deadline() {
    let folder = TempDir::new();
    let pids = folder.path().join("pids");
    let script = format!(
        "sleep 600 & echo $$ $! > {}; echo begun; trap '' TERM; wait",
        pids.display()
    );
    let text = format!(
        "services: {{zk: {{timeout: 2}}}}\nhealthcheck_timeout: 300\nexec:\n  hang: [/bin/sh, -c, \"{script}\"]\n"
    );
    let daemon = Setup::new().config(text).start();
    let answer = daemon.get("/exec/zk/0/hang");
    answer.says(503, "waiting for the command");
    assert!((2.0..300.0).contains(&timed_out_after(&answer.body)));
    let pids = fs::read_to_string(&pids).unwrap();
    for pid in pids.split_whitespace() {
        wait_until(PATIENCE, "the command is gone", || {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
    }
}

#[test]
fn a_command_does_not_outlive_the_daemon() {
    let folder = TempDir::new();
    let pid = folder.path().join("pid");
    let script = format!("echo $$ > {}; exec sleep 600", pid.display());
    let mut daemon = daemon(&[("hang", &script)]);
    let _request = client::send(daemon.address, "GET", "/exec/zk/0/hang", &[]);
    wait_until(PATIENCE, "the command runs", || {
        fs::read_to_string(&pid).is_ok_and(|t| t.ends_with('\n'))
    });
    daemon.process.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(daemon.process.wait(PATIENCE), 0);
    let pid = fs::read_to_string(&pid).unwrap();
    wait_until(PATIENCE, "the command is gone", || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    });
}

#[test]
fn a_child_that_holds_the_pipe_open_does_not_hang_the_check() {
    let folder = TempDir::new();
    let pid = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! > {}; echo started", pid.display());
    let daemon = daemon(&[("fork", &script)]);
    daemon.get("/exec/zk/0/fork").is(200, "started");
    let pid: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid),
        nix::sys::signal::Signal::SIGKILL,
    )
    .unwrap();
}

#[test]
fn endless_output_is_bounded_and_control_characters_are_cleaned() {
    let daemon = daemon(&[
        (
            "endless",
            "head -c 100000000 /dev/zero | tr '\\0' 'x'; exit 1",
        ),
        ("ugly", "printf 'a\\033[31mb\\tc\\377\\n'"),
    ]);
    let body = daemon.get("/exec/zk/0/endless").body;
    assert_eq!((body.len(), body.chars().all(|c| c == 'x')), (1000, true));
    daemon.get("/exec/zk/0/ugly").is(200, "a [31mb c\u{fffd}");
}

#[test]
fn a_poller_that_hangs_up_does_not_stop_a_check_that_others_wait_for() {
    let folder = TempDir::new();
    let (go, begun) = (folder.path().join("go"), folder.path().join("begun"));
    let script = format!(
        concat!("echo x > {}; ", until_there!("{}"), "; echo done"),
        begun.display(),
        go.display()
    );
    let daemon = daemon(&[("slow", &script)]);
    let first = client::send(daemon.address, "GET", "/exec/zk/0/slow", &[]);
    wait_until(PATIENCE, "the command runs", || begun.exists());
    let mut second = client::send(daemon.address, "GET", "/exec/zk/0/slow", &[]);
    drop(first);
    fs::write(&go, "").unwrap();
    client::answer(&mut second).is(200, "done");
}

#[test]
fn commands_that_cannot_be_run_say_why() {
    let daemon = Setup::new()
        .config("exec: {none: /nonexistent/x, plain: /etc/passwd}")
        .start();
    daemon
        .get("/exec/zk/0/none")
        .says(503, "cannot run /nonexistent/x: there is no such program");
    daemon
        .get("/exec/zk/0/plain")
        .says(503, "cannot run /etc/passwd: it may not be executed");
}

#[test]
fn the_probe_command_shows_the_command_and_its_end() {
    let folder = TempDir::new();
    let file = folder.path().join("h.yml");
    fs::write(&file, "exec: {say: \"/bin/echo 'a  b'\"}\n").unwrap();
    let spool = folder.path().to_str().unwrap();
    let args = [
        "probe",
        "-v",
        "-c",
        file.to_str().unwrap(),
        "--spool-root",
        spool,
        "exec",
        "zk",
        "0",
        "say",
    ];
    run("hacheck", &args).is_with(0, "200 OK\na  b\n", "/bin/echo 'a  b'\n");
}
