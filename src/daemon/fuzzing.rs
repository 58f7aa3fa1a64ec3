//! The door for fuzz/: what a request's bytes go through before anything is done. Built with the feature `fuzzing` only.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;
use std::time::Duration;

use hyper::{HeaderMap, Method, Uri};

use super::route::{self, Check, Route};
use super::{entries, spool_change, target};
use crate::config::Config;
use crate::hashed::Hashed;
use crate::ledger::{Answer, Asked, Instance, Ledger, Poll, Told, Who};
use crate::os::sys::LocalAddresses;
use crate::spool::{Downtime, Key};

static MEANS: LazyLock<(Config, LocalAddresses)> = LazyLock::new(Default::default);

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
    match route::parse(&method, uri.path()) {
        Ok(Route::Check(check)) => asked(&check, &uri, state, nerve_or_form),
        Ok(Route::SpoolChange(..)) => {
            posted(uri.query().unwrap_or_default().as_bytes(), nerve_or_form)
        }
        Ok(_) | Err(_) => {}
    }
}

fn asked(check: &Check<'_>, uri: &Uri, state: &[u8], nerve: &[u8]) {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("x-haproxy-server-state", state),
        ("x-nerve-check-ip", nerve),
    ] {
        if let Ok(value) = value.try_into() {
            headers.insert(name, value);
        }
    }
    let (config, own) = &*MEANS;
    let asked = target::read(check, &headers, own);
    let names = entries::names(
        &check.service,
        asked.place.as_ref().ok(),
        asked.typed.as_deref(),
        own,
    );
    for name in &names {
        assert!(
            Key::parse(name).is_ok_and(|k| k.file_name() == *name),
            "{name:?} is no spool entry"
        );
    }
    if let (Ok(place), Some(protocol)) = (&asked.place, check.protocol)
        && let Ok(target) = target::build(check, protocol, place.clone(), uri, &headers, config)
    {
        assert!(target.path.starts_with('/'), "{target:?}");
    }
    remembered(check, asked);
}

/// What a balancer states is remembered, in little room, and makes it one poller however often it asks.
fn remembered(check: &Check<'_>, asked: target::Asked) {
    let mut ledger = Ledger::new(2);
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let who = Hashed::new(Who {
        service: Hashed::new(check.service.clone()),
        check: Hashed::new(Instance::new("", "spool", None, asked.place.ok())),
        address,
        node: asked.node,
        server: asked.server,
    });
    for text in [&who.node, &who.server, &asked.stated.words]
        .into_iter()
        .flatten()
    {
        assert!(text.len() <= 512 && !text.is_empty(), "{text:?}");
    }
    for second in 0..4 {
        let poll = Poll {
            stated: &asked.stated,
            typed: asked.typed.as_deref(),
            asked: Asked::Spool,
        };
        let now = Duration::from_secs(second);
        let answer = Answer {
            told: Told::Up,
            code: 200,
        };
        ledger.polled(now, &who, poll);
        ledger.answered(now, &who, answer);
    }
    let rows: Vec<_> = ledger
        .entries(|_| true)
        .iter()
        .map(|entry| entry.row(Vec::new()))
        .collect();
    assert_eq!(rows.len(), 1, "{who:?}");
    assert!(!rows[0].label().is_empty() && !rows[0].id().is_empty());
    let polling: usize = ledger.figures(Duration::from_secs(4)).polling.iter().sum();
    assert_eq!(polling, 1, "{who:?}");
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
