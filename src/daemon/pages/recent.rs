//! `/recent` and `/status/count`: the services that were asked for lately.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::{DaemonState, status};
use crate::http::reply::{self, Reply};
use crate::ledger::{LastAnswer, SeenService};
use crate::spool::unix_now;

/// How far back `/recent` looks unless told otherwise, in seconds.
const RECENT: i64 = 600;

/// The services that were asked for, by name. They are sorted when the lock is free again.
fn seen(state: &DaemonState) -> Vec<SeenService> {
    let mut all = state.ledger().services.snapshot();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// `/status/count`: requests by service and address.
pub(super) fn count(state: &DaemonState) -> Reply {
    let mut services = Map::new();
    for seen in seen(state) {
        let counts = seen
            .counts
            .iter()
            .map(|(ip, n)| (ip.to_string(), Value::from(*n)))
            .collect();
        services.insert(seen.name.to_string(), Value::Object(counts));
    }
    reply::json(&json!({"service_access_counts": services}))
}

/// `/recent[?threshold=SECONDS]`: services asked for lately, each with its last answer.
pub(super) fn page(state: &DaemonState, query: Option<&str>) -> Reply {
    let arguments = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let threshold = match arguments.filter(|(name, _)| name == "threshold").last() {
        None => RECENT,
        Some((_, text)) => match text.trim().parse() {
            Ok(seconds) => seconds,
            Err(_) => {
                let body = format!(
                    "threshold must be a whole number of seconds, not '{}'",
                    text.escape_debug()
                );
                return reply::text(StatusCode::BAD_REQUEST, body);
            }
        },
    };
    let now = unix_now();
    #[allow(clippy::cast_precision_loss)] // a threshold of 2^53 seconds is for ever either way
    let is_recent = |at: f64| now - at <= threshold as f64;
    let last =
        |l: LastAnswer| json!({"code": l.code, "remote_ip": l.remote_ip.to_string(), "ts": l.ts});
    let seen: Vec<Value> = seen(state)
        .iter()
        .filter(|s| is_recent(s.at))
        .map(|s| json!([s.name.as_str(), s.last.map(last)]))
        .collect();
    let changed = |g: &Value| g["checked"].as_f64().is_some_and(is_recent);
    let groups: Map<String, Value> = status::groups(state)
        .into_iter()
        .filter(|(_, g)| changed(g))
        .collect();
    let mut page = json!({"seen_services": seen, "threshold_seconds": threshold});
    if !groups.is_empty() {
        page["groups"] = groups.into();
    }
    reply::json(&page)
}
