//! `/recent` and `/status/count`: the services that were asked for lately.

use std::net::IpAddr;

use hyper::StatusCode;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{DaemonState, status};
use crate::http::reply::{self, Reply};
use crate::ledger::{LastAnswer, SeenService};
use crate::names::sort::sort_by;
use crate::spool::unix_now;

/// How far back `/recent` looks unless told otherwise, in seconds.
const RECENT: i64 = 600;

/// How many services are copied before polls get the lock again.
const PART: usize = 1000;

/// The services that were asked for, by name. Polls go on meanwhile: one that is forgotten or comes again while they are
/// copied may be missing.
fn seen(state: &DaemonState) -> Vec<SeenService> {
    let mut all = copied(state);
    sort_by(&mut all, |a, b| a.name.cmp(&b.name));
    // One that was forgotten and came again between two parts may be there twice.
    all.dedup_by(|a, b| a.name == b.name);
    all
}

fn copied(state: &DaemonState) -> Vec<SeenService> {
    let mut all = Vec::new();
    // The lock is let go after each part, as a daemon may remember many services.
    loop {
        let part = state.ledger().services.part(all.len(), PART);
        if part.is_empty() {
            return all;
        }
        all.extend(part);
    }
}

#[derive(Serialize)]
struct CountPage {
    service_access_counts: ByService,
}

/// Services with their requests by address.
struct ByService(Vec<SeenService>);

impl Serialize for ByService {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let services = self.0.iter();
        serializer.collect_map(services.map(|s| (s.name.as_str(), ByAddress(&s.counts))))
    }
}

struct ByAddress<'a>(&'a [(IpAddr, u64)]);

impl Serialize for ByAddress<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// `/status/count`: requests by service and address.
pub(super) fn count(state: &DaemonState, _: Option<&str>) -> Reply {
    let page = CountPage {
        service_access_counts: ByService(seen(state)),
    };
    reply::json_page(&page, &state.memory)
}

#[derive(Serialize)]
struct RecentPage<'a> {
    #[serde(skip_serializing_if = "Map::is_empty")]
    groups: Map<String, Value>,
    seen_services: Vec<(&'a str, Option<LastRow>)>,
    threshold_seconds: i64,
}

#[derive(Serialize)]
struct LastRow {
    code: u16,
    remote_ip: IpAddr,
    ts: f64,
}

impl From<LastAnswer> for LastRow {
    fn from(last: LastAnswer) -> Self {
        Self {
            code: last.code,
            remote_ip: last.remote_ip,
            ts: last.ts,
        }
    }
}

/// The answer to a request for `/recent` that cannot be understood.
pub(super) fn refused(query: Option<&str>) -> Option<Reply> {
    let text = threshold(query).err()?;
    let body = format!(
        "threshold must be a whole number of seconds, not '{}'",
        text.escape_debug()
    );
    Some(reply::text(StatusCode::BAD_REQUEST, body))
}

/// How far back to look, in seconds; else the text that says something else.
fn threshold(query: Option<&str>) -> Result<i64, String> {
    let Some(text) = last_argument(query.unwrap_or_default(), "threshold") else {
        return Ok(RECENT);
    };

    match text.trim().parse() {
        Ok(seconds) => Ok(seconds),
        Err(_) => Err(text),
    }
}

/// The value of an argument; the last one where it is given more than once, as in the original.
fn last_argument(query: &str, name: &str) -> Option<String> {
    let arguments = form_urlencoded::parse(query.as_bytes());
    let (_, value) = arguments.filter(|(given, _)| given == name).last()?;
    Some(value.into_owned())
}

/// `/recent[?threshold=SECONDS]`: services asked for lately, each with its last answer.
pub(super) fn page(state: &DaemonState, query: Option<&str>) -> Reply {
    // What does not parse was refused before the page was begun.
    let threshold = threshold(query).unwrap_or(RECENT);
    #[allow(clippy::cast_precision_loss)] // a threshold of 2^53 seconds is for ever either way
    let since = unix_now() - threshold as f64;
    let mut groups = status::groups(state);
    groups.retain(|_, group| is_checked_since(group, since));
    let mut services = seen(state);
    services.retain(|service| service.at >= since);
    let page = RecentPage {
        groups,
        seen_services: services.iter().map(last_row).collect(),
        threshold_seconds: threshold,
    };
    reply::json_page(&page, &state.memory)
}

fn is_checked_since(group: &Value, since: f64) -> bool {
    let checked = group["checked"].as_f64();
    checked.is_some_and(|at| at >= since)
}

fn last_row(service: &SeenService) -> (&str, Option<LastRow>) {
    (service.name.as_str(), service.last.map(LastRow::from))
}
