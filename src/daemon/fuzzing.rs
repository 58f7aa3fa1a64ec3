//! The door for fuzz/: what a request's bytes go through before anything is done. Built with the feature `fuzzing` only.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use hyper::{HeaderMap, Method, Uri};

use super::poll::Poll;
use super::poll::route::{self, CheckPath, Route};
use super::spool_change;
use super::state::Live;
use super::tokens::Tokens;
use crate::config::Config;
use crate::http::phrase::reason_phrase;
use crate::ledger::{Face, Moment, PollAnswer, Pollers, Told};
use crate::spool::{Downtime, Key};

static LIVE: LazyLock<Live> = LazyLock::new(|| {
    let config = Config::default();
    let memory = super::memory(&config);
    Live::new(config, Tokens::default(), &Arc::default(), &memory)
        .expect("the defaults name no file")
});

/// Takes a request's method and target, and two headers or a form, as far as to spool entries, target, downtime and
/// ledger.
///
/// # Panics
/// When one of their rules is broken.
pub fn request(method: &[u8], uri: &[u8], state: &[u8], nerve_or_form: &[u8]) {
    let Ok(method) = Method::from_bytes(method) else {
        return;
    };

    let Ok(uri) = Uri::try_from(uri) else { return };
    match route::parse(&method, uri.path(), uri.query()) {
        Ok(Route::Check(path)) => polled(&path, state, nerve_or_form),
        Ok(Route::SpoolChange(..)) => {
            posted(uri.query().unwrap_or_default().as_bytes(), nerve_or_form);
        }
        Ok(_) | Err(_) => {}
    }
}

fn polled(path: &CheckPath<'_>, state: &[u8], nerve: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-haproxy-server-state", state),
        ("x-nerve-check-ip", nerve),
    ] {
        // The parser of HTTP refuses bytes that no header can have.
        if let Ok(value) = value.try_into() {
            headers.insert(name, value);
        }
    }

    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let poll = Poll::new(Face::Http, address, path, &headers, &LIVE, Instant::now());
    for name in &poll.entries(&LIVE, false) {
        assert!(
            Key::parse(name).is_ok_and(|k| k.file_name() == *name),
            "{name:?} is no spool entry"
        );
    }

    if let Some(check) = poll.check() {
        assert!(check.target.path.starts_with('/'), "{check:?}");
    }

    remembered(&poll);
}

/// What a balancer states is remembered, in little room, and makes it one poller however often it asks.
fn remembered(poll: &Poll) {
    let Poll { poller, stated, .. } = poll;
    for text in [&poller.node, &poller.server, &stated.words]
        .into_iter()
        .flatten()
    {
        assert!(text.len() <= 512 && !text.is_empty(), "{text:?}");
    }

    let mut pollers = Pollers::new(2);
    for second in 0..4 {
        let now = Duration::from_secs(second);
        pollers.asked(now, poller, stated, poll.check());
        let at = Moment {
            since_start: now,
            unix: 0.0,
        };
        let answer = PollAnswer {
            told: Told::Up,
            code: 200,
            check: None,
            outcome: None,
        };
        pollers.answered(at, poller, &answer);
    }

    let records = pollers.records(|_| true);
    assert_eq!(records.len(), 1, "{poller:?}");
    let row = records[0].row(Vec::new());
    assert!(!row.label().is_empty() && !row.id().is_empty());
    let polling: usize = pollers.figures(Duration::from_secs(4)).polling.iter().sum();
    assert_eq!(polling, 1, "{poller:?}");
}

/// What is written for a form is read again as the same.
fn posted(query: &[u8], form: &[u8]) {
    let Some(downtime) = spool_change::downtime(query, form) else {
        return;
    };

    let again = Downtime::parse(downtime.to_json().as_bytes());
    assert_eq!(
        (&again.reason, again.expiration, again.creation),
        (&downtime.reason, downtime.expiration, downtime.creation)
    );
}

/// Any text is a reason phrase of a status line, or none.
///
/// # Panics
/// When the phrase could break the line.
pub fn phrase(text: &str) {
    let Some(phrase) = reason_phrase(text) else {
        return;
    };

    let is_printable = phrase.bytes().all(|b| (b' '..=b'~').contains(&b));
    assert!(is_printable && phrase.len() <= 100, "{phrase:?}");
}
