//! Trouble with the spool: counted, logged now and then, and told in `/status`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the same trouble is logged at the most.
const LOG_EVERY: Duration = Duration::from_secs(60);

const SECOND: Duration = Duration::from_secs(1);

/// What could not be read of a spool.
#[derive(Default)]
pub(super) struct Trouble {
    count: AtomicU64,
    texts: Mutex<TroubleTexts>,
}

#[derive(Default)]
struct TroubleTexts {
    last: Option<(String, Instant)>,
    logged: Option<(String, Instant)>,
}

impl TroubleTexts {
    /// The same is logged once a minute, and whatever it is at most once a second: each entry may fail in words of its
    /// own, and each poll asks for some.
    fn is_to_be_logged(&self, text: &str, now: Instant) -> bool {
        let Some((logged, at)) = &self.logged else {
            return true;
        };

        let least = if logged == text { LOG_EVERY } else { SECOND };
        now.duration_since(*at) >= least
    }
}

impl Trouble {
    /// Counts a trouble; logs it when it is new or was last logged a minute ago.
    pub(super) fn note(&self, text: &str) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut texts = self.texts();
        // Counted each time, whether it is logged or not: the counter is for alerts.
        if texts.is_to_be_logged(text, now) {
            texts.logged = Some((text.to_owned(), now));
            log::error!(kind = "spool", text = text; "{text}; every service keeps the state read last");
        }

        texts.last = Some((text.to_owned(), now));
    }

    /// How often there was any.
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The last one, if it came within the last `within`.
    pub(super) fn within(&self, within: Duration) -> Option<String> {
        let texts = self.texts();
        let (text, at) = texts.last.as_ref()?;
        (at.elapsed() < within).then(|| text.clone())
    }

    fn texts(&self) -> MutexGuard<'_, TroubleTexts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
