//! What is remembered of a poll: in the ledger, in the counters, and in the log where its answer is news.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::event_log;
use super::super::state::DaemonState;
use super::Poll;
use super::decide::Verdict;
use crate::ledger::{Moment, News, PollAnswer};
use crate::names::text::one_line;
use crate::probe::Outcome;
use crate::spool::Closed;

/// Most of an answer's body that is logged, in bytes.
const LOGGED_MAX: usize = 400;

/// Most lines of it.
const LINES_MAX: usize = 3;

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

    let text = change(poll, verdict, news.pollers);
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

/// Says that a check passes again, or no more.
fn change(poll: &Poll, verdict: &Verdict, pollers: usize) -> String {
    let poller = &poll.poller;
    let state = if verdict.passes() { "up" } else { "DOWN" };
    format!(
        "{} ({}) is now {state} for {}{}",
        poller.service,
        poller.check,
        who(poller.address, pollers),
        why(verdict)
    )
}

/// The one that asked; where it is not alone, how many there are.
fn who(address: IpAddr, pollers: usize) -> String {
    match pollers {
        0 | 1 => address.to_string(),
        many => format!("{many} pollers, first {address}"),
    }
}

fn why(verdict: &Verdict) -> String {
    match (verdict, verdict.outcome()) {
        (Verdict::Down(closed), _) => why_down(closed),
        (_, Some(outcome)) => format!(": {}", said(outcome)),
        (_, None) => String::new(),
    }
}

fn why_down(closed: &Closed) -> String {
    let reason = closed.downtime.one_line();
    let text = format!(": {} is down: {reason}", closed.subject());
    if closed.held {
        text + " (the spool cannot be read; this is what it said last)"
    } else {
        text
    }
}

/// The first lines of a body that say anything, as one.
fn first_lines(body: &[u8]) -> String {
    // Cut before anything else is done: a body may be as long as max_body.
    let start = &body[..body.len().min(LOGGED_MAX)];
    let start = String::from_utf8_lossy(start);
    let lines = start.lines().map(str::trim);
    let told = lines.filter(|line| !line.is_empty());
    let first: Vec<&str> = told.take(LINES_MAX).collect();
    one_line(&first.join(" | "))
}

/// Status, cause and the beginning of the body.
fn said(outcome: &Outcome) -> String {
    let code = outcome.status.as_u16();
    let body = first_lines(&outcome.body);
    match &outcome.cause {
        Some(cause) => format!("{code} ({cause}) {body}"),
        None => format!("{code} {body}"),
    }
}
