//! The service manager's watchdog: it hears from us only while every thread that serves is alive.
//!
//! Rule: each thread sets its own flag from a task of its own runtime; one that hangs no longer does, and then nothing
//! is sent until the service manager ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::os::systemd;

/// One flag for each thread beside the main one.
#[derive(Clone)]
pub(crate) struct Watchdog {
    every: Duration,
    threads: Arc<[AtomicBool]>,
}

impl Watchdog {
    /// For so many further threads; `None` when nobody watches.
    #[must_use]
    pub(crate) fn new(period: Option<Duration>, threads: usize) -> Option<Self> {
        // Half the period, as sd_watchdog_enabled(3) advises, and the flags twice as often as they are read.
        let every = period? / 4;
        Some(Self {
            every,
            threads: (0..threads).map(|_| AtomicBool::new(true)).collect(),
        })
    }

    /// Shows for ever that this thread's runtime is alive. Threads count from 0.
    pub(crate) async fn beat(self, thread: usize) {
        let mut ticks = ticks(self.every);
        loop {
            ticks.tick().await;
            if let Some(flag) = self.threads.get(thread) {
                flag.store(true, Ordering::Relaxed);
            }
        }
    }

    /// Tells the service manager for ever, while all threads beat. For the main thread, which so shows its own life.
    pub(crate) async fn report(self) {
        let mut ticks = ticks(self.every * 2);
        loop {
            ticks.tick().await;
            if self.all_beat() {
                systemd::alive();
            }
        }
    }

    /// Whether all threads have beaten; if so, all must beat again.
    fn all_beat(&self) -> bool {
        let all = self.threads.iter().all(|flag| flag.load(Ordering::Relaxed));
        if all {
            self.clear();
        }

        all
    }

    fn clear(&self) {
        // A beat since they were read is lost. That is no harm: the next one comes before they are read again.
        for flag in &*self.threads {
            flag.store(false, Ordering::Relaxed);
        }
    }
}

fn ticks(every: Duration) -> Interval {
    // An interval of zero panics.
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    // After a process was stopped for a while, no burst of ticks makes up for it.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_while_one_thread_hangs() {
        let dog = Watchdog::new(Some(Duration::from_secs(4)), 2).unwrap();
        assert!(dog.all_beat(), "a start counts as a beat");
        dog.threads[0].store(true, Ordering::Relaxed);
        assert!(!dog.all_beat(), "thread 1 hangs");
        dog.threads[1].store(true, Ordering::Relaxed);
        assert!(dog.all_beat());
    }

    #[test]
    fn without_a_service_manager_there_is_no_watchdog() {
        assert!(Watchdog::new(None, 2).is_none());
    }
}
