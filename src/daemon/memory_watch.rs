//! Gives memory back that nobody needs any more: expired results to the allocator, free pages to the system.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::DaemonState;
use crate::os::cause::cause_text;
use crate::os::sys;

/// From one time to the next, at most.
const EVERY: Duration = Duration::from_secs(1);

/// The same, at least.
const SHORTEST: Duration = Duration::from_millis(50);

/// Starts the thread that does it.
pub(super) fn start(state: &Arc<DaemonState>) {
    let state = Arc::clone(state);
    let thread = std::thread::Builder::new().name("memory-watch".into());
    // The daemon does its work without it, so it starts all the same.
    if let Err(e) = thread.spawn(move || watch(&state)) {
        log::warn!(
            "cannot start the thread that gives memory back: {}; hacheck keeps what it took",
            cause_text(e)
        );
    }
}

fn watch(state: &DaemonState) {
    loop {
        std::thread::sleep(pause(state));
        state.checker.cache().drop_expired(Instant::now());
        // Afterwards: only what the allocator has back can go back to the system.
        sys::give_memory_back();
    }
}

/// Short enough that an expired result is gone within another `cache_time`.
fn pause(state: &DaemonState) -> Duration {
    match state.live().config.check.cache_time {
        Some(time) => (time / 2).clamp(SHORTEST, EVERY),
        None => EVERY,
    }
}
