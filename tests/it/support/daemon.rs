//! The daemon under test, in a temporary folder of its own.

use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::client::{self, Response};
use super::process::{Process, bound_to_us};
use super::{BINARY, PATIENCE, Ran, Spool, wait_until};

/// How it is started.
pub struct Setup {
    pub spool: Spool,
    config: Option<String>,
    args: Vec<String>,
    privileges: Vec<&'static str>,
    environment: Vec<(&'static str, String)>,
    files: Option<&'static str>,
    bind: IpAddr,
    port: u16,
}

impl Setup {
    pub fn new() -> Self {
        Self {
            spool: Spool::new(),
            config: None,
            args: vec![],
            privileges: vec![],
            environment: vec![],
            files: None,
            bind: [127, 0, 0, 1].into(),
            port: 0,
        }
    }

    /// The text of its configuration.
    pub fn config(mut self, text: impl Into<String>) -> Self {
        self.config = Some(text.into());
        self
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|a| (*a).to_owned()));
        self
    }

    pub fn bind(mut self, address: &str) -> Self {
        self.bind = address.parse().unwrap();
        self
    }

    /// Its port; any free one unless this is given.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Further options for `setpriv`.
    pub fn privileges(mut self, options: &[&'static str]) -> Self {
        self.privileges.extend(options);
        self
    }

    /// Where a log file may go.
    pub fn log_file(&self) -> PathBuf {
        self.spool.outside().join("hacheck.log")
    }

    /// A variable of its environment.
    pub fn env(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Its limit of open files, soft and hard.
    pub fn limit_files(mut self, files: &'static str) -> Self {
        self.files = Some(files);
        self
    }

    /// Starts it, without waiting for anything. Its output goes to a file.
    pub fn spawn(self) -> Daemon {
        let outside = self.spool.outside().to_owned();
        let output = File::create(outside.join("output")).unwrap();
        let program = if self.files.is_some() {
            "/usr/bin/prlimit"
        } else {
            BINARY
        };
        let mut command = bound_to_us(program, &self.privileges);
        if let Some(files) = self.files {
            command.args([&format!("--nofile={files}:{files}"), "--", BINARY]);
        }
        command.envs(self.environment.iter().map(|(n, v)| (n, v)));
        command
            .arg("serve")
            .args(["-B", &self.bind.to_string(), "-p", &self.port.to_string()])
            .arg("--spool-root")
            .arg(self.spool.root());
        if let Some(text) = &self.config {
            fs::write(outside.join("config.yaml"), text).unwrap();
            command.arg("-c").arg(outside.join("config.yaml"));
        }
        // A process group of its own: a terminal's Ctrl-C is for the tests, which end it themselves.
        command
            .args(&self.args)
            .stdin(Stdio::null())
            .process_group(0)
            .env("TZ", "UTC0");
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let address = SocketAddr::new(self.bind, 0);
        Daemon {
            process: Process::spawn(&mut command),
            address,
            spool: self.spool,
        }
    }

    /// Starts it and waits until it listens.
    #[track_caller]
    pub fn start(self) -> Daemon {
        let mut daemon = self.spawn();
        wait_until(PATIENCE, "the daemon listens", || {
            let log = daemon.log();
            if let Some(code) = daemon.process.ended() {
                panic!("the daemon ended with {code}:\n{log}");
            }
            let (_, rest) = log.split_once("listening on ").unwrap_or_default();
            // The end of the line, or of the text in a line of JSON.
            let Some((address, _)) = rest.split_once(['\n', '"']) else {
                return false;
            };
            daemon.address = address.parse().unwrap();
            true
        });
        daemon
    }
}

/// A running daemon; it is killed when this is dropped.
pub struct Daemon {
    pub process: Process,
    pub address: SocketAddr,
    pub spool: Spool,
}

impl Daemon {
    /// One with defaults and an empty spool.
    #[track_caller]
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// Another one in its place, at the same address and on the same spool.
    #[track_caller]
    pub fn start_again(self) -> Self {
        let Self {
            process,
            address,
            spool,
        } = self;
        drop(process);
        let setup = Setup {
            spool,
            bind: address.ip(),
            port: address.port(),
            ..Setup::new()
        };
        setup.start()
    }

    #[track_caller]
    pub fn with_config(text: &str) -> Self {
        Setup::new().config(text).start()
    }

    pub fn get(&self, path: &str) -> Response {
        client::request(self.address, "GET", path, &[])
    }

    pub fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        client::request(self.address, "GET", path, headers)
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        client::request(self.address, method, path, headers)
    }

    /// A value of `/status`, e.g. `/spool/readable`.
    pub fn status(&self, pointer: &str) -> serde_json::Value {
        let status = self.get("/status").json();
        status
            .pointer(pointer)
            .unwrap_or_else(|| panic!("no {pointer} in {status}"))
            .clone()
    }

    /// A sample of `/metrics`, with its labels.
    pub fn metric(&self, sample: &str) -> f64 {
        let page = self.get("/metrics").body;
        let value = page
            .lines()
            .find_map(|l| l.strip_prefix(sample)?.strip_prefix(' '));
        value
            .and_then(|v| v.parse().ok())
            .unwrap_or_else(|| panic!("no {sample} in:\n{page}"))
    }

    /// Everything that it has printed, and its log file.
    pub fn log(&self) -> String {
        let read = |name: &str| fs::read(self.spool.outside().join(name)).unwrap_or_default();
        let bytes = [read("output"), read("hacheck.log")].concat();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until the log holds a text.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let what = format!("{text:?} in the log");
        wait_until(PATIENCE, &what, || self.log().contains(text));
    }

    /// How often a text is in the log.
    pub fn logged(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    pub fn write_config(&self, text: &str) {
        fs::write(self.spool.outside().join("config.yaml"), text).unwrap();
    }

    /// The same in one step, for a daemon that may be reading it.
    pub fn replace_config(&self, text: &str) {
        let new = self.spool.outside().join("config.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.spool.outside().join("config.yaml")).unwrap();
    }

    /// Writes a configuration and has it read.
    #[track_caller]
    pub fn reload(&self, text: &str, expected_log: &str) {
        let before = self.logged(expected_log);
        self.write_config(text);
        self.process.signal(Signal::SIGHUP);
        let what = format!("{expected_log:?} in the log after SIGHUP");
        wait_until(PATIENCE, &what, || self.logged(expected_log) > before);
    }

    /// Waits until so many pollers have polled often.
    #[track_caller]
    pub fn knows_pollers(&self, count: usize) {
        wait_until(PATIENCE, "the balancers are known", || {
            let page = self.get("/pollers").json();
            let pollers = page["pollers"].as_array().unwrap();
            let often = pollers.iter().filter(|p| p["polls"].as_u64() > Some(3));
            often.count() >= count
        });
    }

    /// An operator's command on its spool.
    pub fn run(&self, name: &str, args: &[&str]) -> Ran {
        self.spool.run(name, args)
    }

    /// Does something while the daemon is stopped, which then finds all of it at once, however slow the tests are.
    pub fn while_stopped<T>(&self, act: impl FnOnce() -> T) -> T {
        self.process.signal(Signal::SIGSTOP);
        let done = act();
        self.process.signal(Signal::SIGCONT);
        done
    }

    /// Checks that it lives, answers, and has not panicked.
    #[track_caller]
    pub fn is_sound(&mut self) {
        let log = self.log();
        assert!(self.process.ended().is_none(), "the daemon ended:\n{log}");
        assert!(!log.contains("panicked"), "{log}");
        self.get("/healthz").is(200, "ok\n");
    }
}
