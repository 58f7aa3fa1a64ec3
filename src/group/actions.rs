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
    /// The state.
    pub up: bool,
    /// The commands.
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
        for argv in &self.commands {
            let ended = self.run_one(argv).await;
            if !ended.good {
                failed.push(argv.clone());
            }
            self.states.acted(&self.name, ended);
        }
        failed
    }

    /// Runs one command within its limit.
    async fn run_one(&self, argv: &Argv) -> EndedAction {
        log::debug!("group {}: running {argv}", self.name);
        let start = Instant::now();
        let (end, good) = self.run_within(argv).await;
        let ended = EndedAction {
            command: argv.to_string(),
            at: unix_now(),
            end,
            good,
        };
        self.log_end(&ended, start.elapsed());
        ended
    }

    fn log_end(&self, ended: &EndedAction, took: Duration) {
        let (name, state, took) = (&self.name, self.state(), took.as_secs_f64());
        let EndedAction { command, end, .. } = ended;
        let told = format!("group {name}: on_{state} {command}: {end} after {took:.2}s");
        if ended.good {
            log::info!("{told}");
        } else {
            log::error!("{told}; it is tried again at the next check");
        }
    }

    fn state(&self) -> &'static str {
        if self.up { "up" } else { "down" }
    }

    async fn run_within(&self, argv: &Argv) -> (String, bool) {
        // Past the limit the run is dropped, which kills the command with all that it started.
        match tokio::time::timeout(self.limit, self.run_to_its_end(argv)).await {
            Ok(ended) => ended,
            Err(_) => {
                let limit = self.limit.as_secs_f64();
                (format!("killed after {limit:.2}s, action_timeout"), false)
            }
        }
    }

    async fn run_to_its_end(&self, argv: &Argv) -> (String, bool) {
        let variables = [
            ("HACHECK_GROUP", self.name.as_str()),
            ("HACHECK_STATE", self.state()),
        ];
        let environment = self.context.probes.settings.environment();
        let ran = match process::run(argv, &variables, &environment).await {
            Ok(ran) => ran,
            Err(e) => return (e.to_string(), false),
        };
        self.log_output(&ran.stdout);
        self.log_output(&ran.stderr);
        (ran.end.to_string(), ran.end.is_success())
    }

    fn log_output(&self, output: &[u8]) {
        let name = &self.name;
        let text = String::from_utf8_lossy(output);
        let mut lines = text.lines().map(str::trim_end).filter(|l| !l.is_empty());
        for line in lines.by_ref().take(LINES_MAX) {
            log::info!("group {name}: | {}", beginning(line));
        }
        let more = lines.count();
        if more > 0 {
            log::info!("group {name}: | and {more} lines more");
        }
    }
}

fn beginning(line: &str) -> String {
    line.chars().take(LINE_MAX).collect()
}
