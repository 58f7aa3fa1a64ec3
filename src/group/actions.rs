//! The commands of a watch: run within their limit, their output logged, their end remembered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::group::{EndedAction, GroupStates};
use crate::os::process::{self, Argv};
use crate::spool::unix_now;

/// Most lines of an action's output that are logged, of each of its two outputs.
const LINES_MAX: usize = 20;

/// Most characters of each.
const LINE_MAX: usize = 500;

/// Runs actions one after the other; gives those that failed.
pub(super) async fn run_all(
    name: String,
    up: bool,
    actions: Vec<Argv>,
    limit: Duration,
    states: Arc<GroupStates>,
) -> Vec<Argv> {
    let mut failed = Vec::new();
    for argv in actions {
        let (end, good) = run_one(&name, up, &argv, limit).await;
        states.acted(
            &name,
            EndedAction {
                command: argv.to_string(),
                at: unix_now(),
                end,
                good,
            },
        );
        if !good {
            failed.push(argv);
        }
    }
    failed
}

/// Runs one action within its limit; gives how it ended, and whether well.
async fn run_one(name: &str, up: bool, argv: &Argv, limit: Duration) -> (String, bool) {
    let state = if up { "up" } else { "down" };
    log::debug!("group {name}: running {argv}");
    let start = Instant::now();
    let environment = [("HACHECK_GROUP", name), ("HACHECK_STATE", state)];
    let ran = tokio::time::timeout(limit, process::run(argv, &environment, &[])).await;
    let (end, good) = match ran {
        Err(_) => (
            format!("killed after {:.2}s, action_timeout", limit.as_secs_f64()),
            false,
        ),
        Ok(Err(e)) => (e.to_string(), false),
        Ok(Ok(ran)) => {
            log_output(name, &ran.stdout);
            log_output(name, &ran.stderr);
            (ran.end.to_string(), ran.end.is_success())
        }
    };
    let took = start.elapsed().as_secs_f64();
    if good {
        log::info!("group {name}: on_{state} {argv}: {end} after {took:.2}s");
    } else {
        log::error!(
            "group {name}: on_{state} {argv}: {end} after {took:.2}s; it is tried again at the next check"
        );
    }
    (end, good)
}

fn log_output(name: &str, output: &[u8]) {
    let text = String::from_utf8_lossy(output);
    let mut lines = text.lines().map(str::trim_end).filter(|l| !l.is_empty());
    for line in lines.by_ref().take(LINES_MAX) {
        log::info!(
            "group {name}: | {}",
            line.chars().take(LINE_MAX).collect::<String>()
        );
    }
    let more = lines.count();
    if more > 0 {
        log::info!("group {name}: | and {more} lines more");
    }
}
