//! An answer that is news, as the log tells it: one line, with the beginning of what was found.

use std::net::IpAddr;

use super::Poll;
use super::decide::Verdict;
use crate::names::text::one_line;
use crate::probe::Outcome;
use crate::spool::Closed;

/// Most of an answer's body that is logged, in bytes.
const LOGGED_MAX: usize = 400;

/// Most lines of it.
const LINES_MAX: usize = 3;

/// Says that a check passes again, or no more.
pub(super) fn change(poll: &Poll, verdict: &Verdict, pollers: usize) -> String {
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
