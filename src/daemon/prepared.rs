//! What is made of a request before anything is looked up.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderMap;

use super::route::Check;
use super::state::Live;
use super::target::{self, Entries, Own};
use crate::check::{Lookup, Wants};
use crate::ledger::{Stated, Who};
use crate::probe::{Host, Outcome, Request as Part, Target};

/// Longest text that tells checks apart, in characters: a made-up path must not be remembered whole.
const CHECK_MAX: usize = 300;

/// Who asks for a check, and how.
pub struct Asker<'a> {
    /// The URL, whose query string belongs to the check.
    pub uri: &'a Uri,
    /// What is said besides.
    pub headers: &'a HeaderMap,
    /// From where.
    pub from: IpAddr,
    /// Stands in front of what is checked, for statistics and log.
    pub kind: &'static str,
}

/// A check that can be decided.
pub struct Prepared {
    /// Who asks.
    pub who: Who,
    /// What the balancer says of itself.
    pub stated: Stated,
    /// The spool entries that can take the check down.
    pub entries: Entries,
    /// What is asked besides the spool.
    pub wants: Wants,
    /// Neither a stored result nor a probe under way will do.
    pub fresh: bool,
}

impl Prepared {
    /// Prepares a check.
    #[must_use]
    pub fn new(check: &Check<'_>, asker: &Asker<'_>, own: &dyn Own, live: &Live) -> Self {
        let asked = target::build(check, asker.uri, asker.headers, &live.config, own);
        let instance = instance(asker.kind, check, &asked.target);
        let who = Who::new(check.service.shared(), instance, asker.from, (asked.node, asked.server));
        let wants = match (check.protocol, asked.target) {
            (None, _) => Wants::Nothing,
            (Some(_), Err(refused)) => Wants::Refused(refused, None),
            (Some(protocol), Ok(target)) => {
                let target = Arc::new(target);
                let refused = |answer| Wants::Refused(answer, Some((protocol, Arc::clone(&target))));
                Lookup::new(protocol, Arc::clone(&target), &live.config).map_or_else(refused, Wants::Check)
            }
        };
        Self { who, stated: asked.stated, entries: asked.entries, wants, fresh: asked.fresh }
    }
}

/// What changes of a service's state are told apart by, such as `http 127.0.0.1:8080`.
fn instance(kind: &str, check: &Check<'_>, target: &Result<Target, Outcome>) -> Arc<str> {
    let mut text = String::with_capacity(64);
    text.push_str(kind);
    text.push_str(check.protocol.map_or("spool", |p| p.name));
    if let Ok(target) = target {
        if check.protocol.is_some_and(|p| matches!(p.request, Part::Segment)) {
            text.push(' ');
            text.push_str(target.segment());
        }
        match &target.host {
            Host::Local => text.push_str(" 127.0.0.1"),
            // Writing to a string cannot fail.
            host => drop(write!(text, " {host}")),
        }
        text.push(':');
        text.push_str(itoa::Buffer::new().format(target.port));
    }
    if let Some((end, _)) = text.char_indices().nth(CHECK_MAX).filter(|_| text.len() > CHECK_MAX) {
        text.truncate(end);
    }
    text.into()
}
