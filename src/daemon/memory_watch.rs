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
        let cache_time = state.live().config.check.cache_time;
        std::thread::sleep(pause(cache_time));
        state.checker.cache().drop_expired(Instant::now());
        // Afterwards: only what the allocator has back can go back to the system.
        sys::give_memory_back();
    }
}

/// Short enough that an expired result is gone within another `cache_time`.
fn pause(cache_time: Option<Duration>) -> Duration {
    match cache_time {
        // Nothing is stored, so nothing expires; and each page that is given back costs a fault when it is used again.
        Some(Duration::ZERO) | None => EVERY,
        Some(time) => (time / 2).clamp(SHORTEST, EVERY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_works_twice_in_a_cache_time_and_once_a_second_where_nothing_is_stored() {
        let ms = |ms| Duration::from_millis(ms);
        assert_eq!(pause(Some(ms(400))), ms(200));
        assert_eq!(pause(Some(ms(10))), SHORTEST);
        assert_eq!(pause(Some(ms(60_000))), EVERY);
        assert_eq!(pause(Some(Duration::ZERO)), EVERY);
        assert_eq!(pause(None), EVERY);
    }
}
