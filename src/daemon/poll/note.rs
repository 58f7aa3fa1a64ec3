//! What is remembered of a poll: in the ledger, in the counters, and in the log where its answer is news.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::event_log;
use super::super::state::DaemonState;
use super::Poll;
use super::decide::Verdict;
use super::news;
use crate::ledger::{Moment, News, PollAnswer};

/// Notes a poll when it comes: it may have to wait for its answer. Gives whether its poller is established.
pub(super) fn asked(state: &DaemonState, poll: &Poll) -> bool {
    let at = moment(state, poll, Duration::ZERO);
    let check = poll.check();
    let mut ledger = state.ledger();
    let is_established = ledger.asked(at, &poll.poller, &poll.stated, check);
    let is_checking = is_established && check.is_some();
    if is_checking && state.interval_notes.are_due(at.since_start) {
        let interval = ledger.pollers.interval(&poll.poller);
        // The log may take its time, and other polls wait for the ledger.
        drop(ledger);
        note_interval(state, poll, interval);
    }

    is_established
}

fn note_interval(state: &DaemonState, poll: &Poll, interval: Option<f64>) {
    if let Some(interval) = interval {
        let config = &state.live().config;
        state.interval_notes.give(config, &poll.poller, interval);
    }
}

/// The moment so long after a poll came.
fn moment(state: &DaemonState, poll: &Poll, later: Duration) -> Moment {
    Moment {
        since_start: (poll.arrived + later).saturating_duration_since(state.started),
        unix: poll.unix + later.as_secs_f64(),
    }
}

/// Notes what it was answered.
pub(super) fn answered(state: &DaemonState, poll: &Poll, verdict: &Verdict, code: u16) {
    // All of them, also those that say nothing of a service.
    count(state, verdict);
    if !poll.counts() {
        return;
    }

    let now = moment(state, poll, poll.arrived.elapsed());
    let answer = PollAnswer {
        told: verdict.told(),
        code,
        check: poll.check(),
        outcome: verdict.outcome(),
    };

    // The ledger's lock is let go with this line, as the log may take its time.
    let news = state.ledger().answered(now, &poll.poller, &answer);
    log_news(poll, verdict, &news);
}

fn log_news(poll: &Poll, verdict: &Verdict, news: &News) {
    // Mostly it is what the pollers were told before.
    if news.event.is_none() && !news.is_other {
        return;
    }

    let text = news::change(poll, verdict, news.pollers);
    match &news.event {
        Some(event) => event_log::log(event, &text),
        None => log::info!("{text}"),
    }
}

fn count(state: &DaemonState, verdict: &Verdict) {
    let counter = match verdict {
        Verdict::Down(_) => &state.counters.down,
        Verdict::Refused(_) => &state.counters.refused,
        // Counted by its status and by its probe.
        Verdict::Open { .. } => return,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}
