//! The commands of a watch: run within their limit, their output logged, their end remembered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::group::{CheckContext, EndedAction, GroupStates};
use crate::os::process::{self, Argv};
use crate::spool::unix_now;

/// Most lines of an action's output that are logged, of each of its two outputs.
const LINES_MAX: usize = 20;

/// Most characters of each.
const LINE_MAX: usize = 500;

/// What is to be done for a state.
pub(super) struct Actions {
    /// The group's name.
    pub name: String,
    pub up: bool,
    pub commands: Vec<Argv>,
    /// How long each of them may take.
    pub limit: Duration,
    /// Where their ends are noted.
    pub states: Arc<GroupStates>,
    /// The configuration in force.
    pub context: Arc<CheckContext>,
}

impl Actions {
    /// Runs the commands one after the other; gives those that failed.
    pub(super) async fn run(self) -> Vec<Argv> {
        let mut failed = Vec::new();
        // After a failure the others still run: an alarm must go off even if the restart before it failed.
        for argv in &self.commands {
            if !self.run_one(argv).await {
                failed.push(argv.clone());
            }
        }

        failed
    }

    /// Runs one command within its limit, and notes its end. Gives whether it succeeded.
    async fn run_one(&self, argv: &Argv) -> bool {
        log::debug!("group {}: running {argv}", self.name);
        let start = Instant::now();
        let end = self.run_within(argv).await;
        let ended = end.of(argv);
        let is_good = ended.good;
        self.log_end(&ended, start.elapsed());
        self.states.acted(&self.name, ended);
        is_good
    }

    fn log_end(&self, ended: &EndedAction, took: Duration) {
        let told = self.told(ended, took.as_secs_f64());
        if ended.good {
            log::info!("{told}");
        } else {
            log::error!("{told}; it is tried again at the next check");
        }
    }

    fn told(&self, ended: &EndedAction, took: f64) -> String {
        let (name, state) = (&self.name, self.state());
        let EndedAction { command, end, .. } = ended;
        format!("group {name}: on_{state} {command}: {end} after {took:.2}s")
    }

    fn state(&self) -> &'static str {
        if self.up { "up" } else { "down" }
    }

    async fn run_within(&self, argv: &Argv) -> ActionEnd {
        // Past the limit the run is dropped, which kills the command with all that it started.
        match tokio::time::timeout(self.limit, self.run_to_its_end(argv)).await {
            Ok(end) => end,
            Err(_) => {
                let limit = self.limit.as_secs_f64();
                ActionEnd::failed(format!("killed after {limit:.2}s, action_timeout"))
            }
        }
    }

    async fn run_to_its_end(&self, argv: &Argv) -> ActionEnd {
        let environment = self.context.probes.settings.environment();
        let ran = match process::run(argv, &self.variables(), &environment).await {
            Ok(ran) => ran,
            Err(e) => return ActionEnd::failed(e.to_string()),
        };

        self.log_output(&ran.stdout);
        self.log_output(&ran.stderr);
        ActionEnd {
            text: ran.end.to_string(),
            is_good: ran.end.is_success(),
        }
    }

    fn variables(&self) -> [(&str, &str); 2] {
        [
            ("HACHECK_GROUP", &self.name),
            ("HACHECK_STATE", self.state()),
        ]
    }

    fn log_output(&self, output: &[u8]) {
        // At level info: the operator should see what a command said that acted on the host.
        let name = &self.name;
        // Lossy: a command may write bytes that are not text.
        let text = String::from_utf8_lossy(output);
        let mut lines = lines_of(&text);
        for line in lines.by_ref().take(LINES_MAX) {
            log::info!("group {name}: | {}", beginning(line));
        }

        let more = lines.count();
        if more > 0 {
            log::info!("group {name}: | and {more} lines more");
        }
    }
}

/// How a command ended.
struct ActionEnd {
    /// Exit code, signal, or why there is none.
    text: String,
    is_good: bool,
}

impl ActionEnd {
    fn failed(text: String) -> Self {
        let is_good = false;
        Self { text, is_good }
    }

    fn of(self, argv: &Argv) -> EndedAction {
        EndedAction {
            command: argv.to_string(),
            at: unix_now(),
            end: self.text,
            good: self.is_good,
        }
    }
}

fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim_end);
    lines.filter(|line| !line.is_empty())
}

fn beginning(line: &str) -> String {
    line.chars().take(LINE_MAX).collect()
}
