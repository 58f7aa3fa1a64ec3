//! `health-checker`, from outside: flags, answers, and what its users' balancers do to it.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::support::client::{self, Response};
use crate::support::process::{Process, bound_to_us};
use crate::support::server::free_port;
use crate::support::{BINARY, PATIENCE, TempDir, run, until_there, wait_until};

/// A running health-checker; it is killed when this is dropped.
struct Checker {
    process: Process,
    address: SocketAddr,
    folder: TempDir,
}

impl Checker {
    #[track_caller]
    fn start(folder: TempDir, args: &[&str]) -> Self {
        Self::start_with(folder, args, "false")
    }

    #[track_caller]
    fn start_with(folder: TempDir, args: &[&str], debug: &str) -> Self {
        let program = folder.path().join("health-checker");
        symlink(BINARY, &program).unwrap();
        let output = File::create(folder.path().join("output")).unwrap();
        let mut command = bound_to_us(program.to_str().unwrap(), &[]);
        command
            .args(["--listener", "127.0.0.1:0"])
            .args(args)
            .env("HEALTH_CHECKER_DEBUG", debug)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(Stdio::null());
        let process = Process::spawn(&mut command);
        let mut checker = Self {
            process,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder,
        };
        wait_until(PATIENCE, "it listens", || {
            let log = checker.log();
            let (_, rest) = log.split_once("Listening on Port ").unwrap_or_default();
            let Some((address, _)) = rest.split_once("...") else {
                return false;
            };
            checker.address = address.parse().unwrap();
            true
        });
        checker
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("output")).unwrap_or_default()
    }

    fn get(&self, path: &str) -> Response {
        client::request(self.address, "GET", path, &[])
    }
}

/// A script that notes its runs in `runs` and waits until `go` is there.
struct Script {
    runs: PathBuf,
    go: PathBuf,
    text: String,
}

impl Script {
    fn new(folder: &TempDir) -> Self {
        let path = |name: &str| folder.path().join(name);
        let (file, runs, go) = (path("script.sh"), path("runs"), path("go"));
        let body = concat!(
            "#!/bin/sh\necho $$ >> \"$1\"\n",
            until_there!("\"$2\""),
            "\n"
        );
        fs::write(&file, body).unwrap();
        let text = format!(
            "/bin/sh {} {} {}",
            file.display(),
            runs.display(),
            go.display()
        );
        Self { runs, go, text }
    }

    fn runs(&self) -> Vec<String> {
        fs::read_to_string(&self.runs)
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

/// A command that runs a script with this text.
fn sh(folder: &TempDir, text: &str) -> String {
    let file = (1..)
        .map(|number| folder.path().join(format!("{number}.sh")))
        .find(|file| !file.exists())
        .unwrap();
    fs::write(&file, text).unwrap();
    format!("/bin/sh {}", file.display())
}

fn is_dead(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

#[test]
fn all_ports_and_scripts_must_be_well() {
    let one = TcpListener::bind("127.0.0.1:0").unwrap();
    let two = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = |l: &TcpListener| l.local_addr().unwrap().port().to_string();
    let folder = TempDir::new();
    let flag = folder.path().join("flag");
    let script = format!("test -e {}", flag.display());
    let args = [
        "--port",
        &port(&one),
        "-port",
        &port(&two),
        "--script",
        "true",
        "--script",
        &script,
    ];
    let checker = Checker::start(folder, &args);
    checker.get("/").is(504, "At least one health check failed");
    fs::write(&flag, "").unwrap();
    for path in ["/", "/health?x=y", "/a/b"] {
        checker.get(path).is(200, "OK");
    }
    client::request(checker.address, "POST", "/", &[("Content-Length", "0")]).is(200, "OK");
    let gone = port(&two);
    drop(two);
    checker.get("/").is(504, "At least one health check failed");
    let named = format!("level=warning msg=\"TCP connection to port {gone} FAILED: ");
    wait_until(PATIENCE, &named, || checker.log().contains(&named));
}

#[test]
fn a_port_is_tried_on_both_addresses_of_localhost() {
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let port = v6.local_addr().unwrap().port().to_string();
    let checker = Checker::start(TempDir::new(), &["--port", &port]);
    checker.get("/").is(200, "OK");
    drop(v6);
    checker.get("/").is(504, "At least one health check failed");
}

#[test]
fn a_script_has_the_environment_that_health_checker_was_started_with() {
    // Cargo sets this one for tests.
    let folder = TempDir::new();
    let script = sh(&folder, "test -n \"$CARGO_MANIFEST_DIR\"");
    let checker = Checker::start(folder, &["--script", &script]);
    checker.get("/").is(200, "OK");
}

#[test]
fn the_body_names_failed_checks_when_asked_to() {
    let port = free_port().to_string();
    let host = format!("127.0.0.1:{port}");
    let folder = TempDir::new();
    let script = sh(&folder, "echo why; exit 7");
    let args = [
        "--verbose-body",
        "--port",
        &host,
        "--script",
        &script,
        "--script",
        "true",
    ];
    let checker = Checker::start(folder, &args);
    let answer = checker.get("/");
    answer.says(
        504,
        &format!("At least one health check failed\n\nFAIL tcp://127.0.0.1:{port} "),
    );
    answer.says(504, "s 503 why\npass script true ");
    answer.says(504, &format!("FAIL script {script} "));
    for line in [
        "level=warning msg=\"Script /bin/sh FAILED: exit status 7\"\n",
        "level=warning msg=\"Command output: why\"\n",
        "level=info msg=\"At least one health check failed. Returning HTTP 504 response.\\n\"\n",
    ] {
        wait_until(PATIENCE, line, || {
            let log = checker.log();
            log.split_inclusive('\n')
                .any(|l| l.starts_with("[health-checker] time=\"") && l.ends_with(line))
        });
    }
}

/// 200 requests at the same time; gives the script's runs.
fn two_hundred_requests(args: &[&str]) -> usize {
    let folder = TempDir::new();
    let script = Script::new(&folder);
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port().to_string();
    // What is not accepted fills the kernel's queue, and the next connection has to wait.
    thread::spawn(move || open.incoming().for_each(drop));
    let args = [
        &[
            "--script",
            &script.text,
            "--script-timeout",
            "60",
            "--port",
            &port,
        ],
        args,
    ]
    .concat();
    let checker = Checker::start(folder, &args);
    let streams: Vec<_> = (0..200)
        .map(|_| client::send(checker.address, "GET", "/", &[]))
        .collect();
    let expected = if args.contains(&"--singleflight") {
        1
    } else {
        200
    };
    wait_until(Duration::from_secs(60), "the scripts run", || {
        script.runs().len() >= expected
    });
    // With --singleflight the requests that come late would begin another run: all must have been taken in.
    checker_has(&checker, 200);
    fs::write(&script.go, "").unwrap();
    let answering: Vec<_> = streams
        .into_iter()
        .map(|mut s| thread::spawn(move || client::answer(&mut s)))
        .collect();
    for answer in answering {
        answer.join().unwrap().is(200, "OK");
    }
    script.runs().len()
}

/// Waits until the process has so many connections open.
#[track_caller]
fn checker_has(checker: &Checker, connections: usize) {
    let pid = fs::read_dir("/proc").unwrap().flatten().find(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.starts_with(
            checker
                .folder
                .path()
                .join("health-checker")
                .as_os_str()
                .as_encoded_bytes(),
        )
    });
    let folder = pid.expect("it runs").path().join("fd");
    let sockets = || {
        let links = fs::read_dir(&folder)
            .unwrap()
            .flatten()
            .filter_map(|e| fs::read_link(e.path()).ok());
        links
            .filter(|l| l.to_string_lossy().starts_with("socket:"))
            .count()
    };
    // One socket is the listener's.
    wait_until(PATIENCE, "all connections are open", || {
        sockets() > connections
    });
}

#[test]
fn without_singleflight_each_request_runs_the_checks() {
    assert_eq!(two_hundred_requests(&[]), 200);
}

#[test]
fn with_singleflight_requests_at_the_same_time_share_one_run() {
    assert_eq!(two_hundred_requests(&["--singleflight"]), 1);
}

/// As in Gruntwork's: whoever closes its sending side and waits for the answer looks like one that is gone.
#[test]
fn a_check_runs_to_its_end_though_its_client_is_gone() {
    for args in [&[][..], &["--singleflight"]] {
        let folder = TempDir::new();
        let script = Script::new(&folder);
        let args = [&["--script", &script.text, "--script-timeout", "600"], args].concat();
        let checker = Checker::start(folder, &args);
        let request = client::send(checker.address, "GET", "/", &[]);
        wait_until(PATIENCE, "the script runs", || script.runs().len() == 1);
        drop(request);
        fs::write(&script.go, "").unwrap();
        let passed = "msg=\"All health checks passed.";
        wait_until(PATIENCE, passed, || checker.log().contains(passed));
        checker.get("/").is(200, "OK");
    }
}

#[test]
fn big_heads_are_answered() {
    let checker = Checker::start(TempDir::new(), &["--script", "true"]);
    let long = "x".repeat(60 << 10);
    client::request(checker.address, "GET", "/", &[("X-Long", &long)]).is(200, "OK");
    let names: Vec<String> = (0..150).map(|number| format!("X-{number}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "y")).collect();
    client::request(checker.address, "GET", "/", &many).is(200, "OK");
}

#[test]
fn a_stray_argument_is_ignored_with_a_note() {
    let address = format!("127.0.0.1:{}", free_port());
    let busy = TcpListener::bind(&address).unwrap();
    let ran = run(
        "health-checker",
        &["--script", "true", "stray", "--listener", &address],
    );
    assert!(
        ran.err.contains("\"stray\" belongs to no option"),
        "{ran:?}"
    );
    assert!(ran.err.contains("cannot listen on"), "{ran:?}");
    drop(busy);
}

#[test]
fn scripts_that_hang_or_fork_are_over_in_time() {
    let folder = TempDir::new();
    let pids = folder.path().join("pids");
    let hang = sh(&folder, &format!("echo $$ > {}; sleep 600", pids.display()));
    let fork = folder.path().join("fork");
    let fork = sh(
        &folder,
        &format!("sleep 600 & echo $! >> {}", fork.display()),
    );
    let args = [
        "--script-timeout",
        "1",
        "--verbose-body",
        "--script",
        &hang,
        "--script",
        &fork,
    ];
    let checker = Checker::start(folder, &args);
    let answer = checker.get("/");
    answer.says(504, "Connection timed out after ");
    answer.says(504, &format!("pass script {fork} "));
    let pid = fs::read_to_string(&pids).unwrap();
    wait_until(PATIENCE, "the script is killed", || is_dead(pid.trim()));
    let fork = fs::read_to_string(checker.folder.path().join("fork")).unwrap();
    let pid = nix::unistd::Pid::from_raw(fork.trim().parse().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[test]
fn sigterm_ends_it_with_success() {
    let mut checker = Checker::start(TempDir::new(), &["--script", "true"]);
    checker.process.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(checker.process.wait(PATIENCE), 0);
}

#[test]
fn without_arguments_it_shows_its_help() {
    for (name, args) in [
        ("health-checker", &[][..]),
        ("hacheck", &["health-checker"]),
        ("health-checker", &["-h"]),
    ] {
        let ran = run(name, args);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
        for flag in [
            "--port",
            "--script",
            "--script-timeout",
            "--singleflight",
            "--listener",
            "--log-level",
        ] {
            assert!(ran.out.contains(flag), "{flag}: {}", ran.out);
        }
    }
    assert!(
        run("health-checker", &["-v"])
            .out
            .contains(env!("CARGO_PKG_VERSION"))
    );
    assert!(
        run("health-checker", &["--version"])
            .out
            .contains(env!("CARGO_PKG_VERSION"))
    );
    run("health-checker", &["--singleflight"]).is_with(2, "", "one of --port / --script required");
}

#[test]
fn an_address_in_use_is_a_sentence() {
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap().to_string();
    let ran = run(
        "health-checker",
        &["--script", "true", "--listener", &address],
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains(&format!("cannot listen on {address}: ")),
        "{ran:?}"
    );
}

#[test]
fn what_passes_is_not_logged_but_the_result_of_each_request() {
    let folder = TempDir::new();
    let script = sh(&folder, "echo well");
    let checker = Checker::start(folder, &["--script", &script]);
    checker.get("/").is(200, "OK");
    let result = "All health checks passed. Returning HTTP 200 response.";
    wait_until(PATIENCE, result, || checker.log().contains(result));
    assert!(!checker.log().contains("well"), "{}", checker.log());
}

#[test]
fn the_variable_of_the_original_makes_it_log_details_and_go_on() {
    let folder = TempDir::new();
    let script = sh(&folder, "echo well");
    let checker = Checker::start_with(folder, &["--script", &script], "true");
    checker.get("/").is(200, "OK");
    wait_until(PATIENCE, "details", || {
        checker.log().contains("level=debug")
    });
}
