//! `POST /spool/<service>/<port>`: operators' tools take services down and up from afar.
//!
//! Rule: nothing is read of a request before it is known to be allowed, and every change is logged with who made it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, StatusCode};

use super::cross_site;
use super::state::{DaemonState, Live};
use super::tokens::Bearer;
use crate::http::memory::{BodyBuffer, MemoryPermit, SMALL_REQUEST};
use crate::http::reply::{self, Reply};
use crate::os::logging::Seldom;
use crate::spool::{Downtime, Key, ServiceName, SpoolError};

/// How often refused changes are logged.
static REFUSED: Seldom = Seldom::new();

const FORM: &str = "application/x-www-form-urlencoded";

/// The answer to a reason over [`spool::REASON_MAX`](crate::spool::REASON_MAX).
const REASON_WAS_CUT: &str = "the reason was longer than 256 KiB and was cut\n";

/// What is to be done.
enum Change {
    Up,
    Down(Downtime),
}

/// Answers the request: 200 with an empty body when done.
pub async fn post(
    state: &Arc<DaemonState>,
    service: ServiceName,
    port: u16,
    request: Request<Incoming>,
    from: IpAddr,
) -> Reply {
    let live = state.live();
    let who = match permitted(&live, request.headers(), from) {
        Ok(who) => who,
        Err(denied) => {
            state
                .counters
                .spool_changes_refused
                .fetch_add(1, Ordering::Relaxed);
            if let Some(times) = REFUSED.now() {
                log::warn!(
                    "refused a spool change of {service} from {from}: {}{times}",
                    denied.why
                );
            }
            return denied.reply();
        }
    };
    let form = BodyBuffer::new(
        state.memory.permit(SMALL_REQUEST),
        live.config.daemon.max_request_body,
    );
    let limit = live.config.http.header_timeout;
    // The place stays taken until the change is made.
    let (arguments, _place) = match tokio::time::timeout(limit, arguments(request, form)).await {
        Ok(Ok(arguments)) => arguments,
        Ok(Err(refused)) => return refused,
        Err(_) => {
            return reply::text(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
        }
    };
    let change = match change(&arguments) {
        Ok(change) => change,
        Err(why) => {
            log::warn!("refused a spool change of {service} from {who}: {why}");
            return reply::text(StatusCode::BAD_REQUEST, why);
        }
    };
    // Port 0 means the whole service, as in the original.
    let key = match port {
        0 => Ok(Key::service(service)),
        port => Key::instance(service, None, port),
    };
    match key {
        Ok(key) => apply(state, key, change, &who).await,
        Err(e) => reply::text(StatusCode::BAD_REQUEST, e.to_string()),
    }
}

/// Why a change may not be made: for the log, and as the answer.
struct Denied {
    why: &'static str,
    status: StatusCode,
    text: String,
}

impl Denied {
    fn reply(self) -> Reply {
        let reply = reply::text(self.status, self.text);
        match self.status {
            StatusCode::UNAUTHORIZED => {
                reply::with(reply, WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            _ => reply,
        }
    }
}

/// Who makes the change, in words.
fn permitted(live: &Live, headers: &HeaderMap, from: IpAddr) -> Result<String, Denied> {
    let denied = |why, status, text: &str| {
        Err(Denied {
            why,
            status,
            text: text.to_owned(),
        })
    };
    if !live.config.daemon.allow_remote_spool_changes {
        let why = "allow_remote_spool_changes is not set";
        return denied(
            why,
            StatusCode::FORBIDDEN,
            "remote spool changes are not enabled",
        );
    }
    if !live
        .config
        .daemon
        .remote_spool_from
        .iter()
        .any(|n| n.contains(from))
    {
        let text = format!("{from} may not change the spool: see remote_spool_from");
        return denied(
            "the address is outside remote_spool_from",
            StatusCode::FORBIDDEN,
            &text,
        );
    }
    // Before the tokens: a browser may hold one for whoever sits at it.
    let page_hosts = &live.config.daemon.page_hosts;
    if cross_site::is_foreign(headers, live.this_host(), page_hosts) {
        return denied(
            "a web page of another site sent it",
            StatusCode::FORBIDDEN,
            "a web page of another site sent this, so the spool was not changed; use a tool, or a page of this host",
        );
    }
    let unauthorized = |why, text| denied(why, StatusCode::UNAUTHORIZED, text);
    match live.tokens.bearer(headers) {
        Bearer::Free => Ok(from.to_string()),
        Bearer::Holds(name) => Ok(format!("{from} with the token {name}")),
        Bearer::Missing => unauthorized(
            "it carries no token",
            "a spool change needs a token: Authorization: Bearer …",
        ),
        Bearer::Wrong => unauthorized(
            "its token is not one of remote_spool_tokens",
            "the token is not one that is known",
        ),
    }
}

async fn apply(state: &Arc<DaemonState>, key: Key, mut change: Change, who: &str) -> Reply {
    let cut = match &mut change {
        Change::Up => false,
        Change::Down(downtime) => downtime.cut_reason(),
    };
    let spool = state.gate.spool().clone();
    let by = who.to_owned();
    // Writing waits for the lock and the disk.
    let done = tokio::task::spawn_blocking(move || -> Result<String, SpoolError> {
        match change {
            Change::Up => spool.up(&key).map(|was_down| {
                format!(
                    "{key} taken up from {by}{}",
                    if was_down { "" } else { " (it was not down)" }
                )
            }),
            Change::Down(downtime) => {
                let text = format!("{key} taken down from {by}: {}", downtime.one_line());
                spool.down(&key, downtime).map(|_| text)
            }
        }
    });
    match done.await {
        Ok(Ok(what)) => {
            state.counters.spool_changes.fetch_add(1, Ordering::Relaxed);
            log::info!("{what}");
            reply::text(StatusCode::OK, if cut { REASON_WAS_CUT } else { "" })
        }
        Ok(Err(e)) => {
            log::error!("spool change from {who}: {e}");
            reply::text(StatusCode::INTERNAL_SERVER_ERROR, e.to_string())
        }
        Err(e) => reply::text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the change broke off: {e}"),
        ),
    }
}

/// The arguments of query string and form; of repeated ones the last counts, the form's after the query's.
async fn arguments(
    request: Request<Incoming>,
    mut form: BodyBuffer,
) -> Result<(HashMap<String, String>, MemoryPermit), Reply> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let kind = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let is_form = kind
        .split(';')
        .next()
        .is_some_and(|k| k.trim().eq_ignore_ascii_case(FORM));
    read(request.into_body(), &mut form).await?;
    let body = if is_form { form.bytes() } else { &[] };
    match merged(query.as_bytes(), body) {
        Some(arguments) => Ok((arguments, form.into_permit())),
        None => Err(reply::text(
            StatusCode::BAD_REQUEST,
            "the arguments are not UTF-8",
        )),
    }
}

/// Reads all of a body.
async fn read(mut body: Incoming, form: &mut BodyBuffer) -> Result<(), Reply> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| {
            let text = format!("the body cannot be read: {e}");
            reply::text(StatusCode::BAD_REQUEST, text)
        })?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if data.len() > form.room() {
            return Err(over(form.max()));
        }
        form.push(&data).map_err(reply::full)?;
    }
    Ok(())
}

fn over(most: usize) -> Reply {
    let text = format!("the body is over {most} bytes (max_request_body)");
    reply::text(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// The arguments of both; `None` when they are no text.
fn merged(query: &[u8], form: &[u8]) -> Option<HashMap<String, String>> {
    let pairs = || form_urlencoded::parse(query).chain(form_urlencoded::parse(form));
    // What is no UTF-8 becomes U+FFFD, which nobody types.
    let is_text = pairs().all(|(n, v)| !n.contains('\u{fffd}') && !v.contains('\u{fffd}'));
    is_text.then(|| {
        pairs()
            .map(|(name, value)| (name.into_owned(), cleaned(&value)))
            .collect()
    })
}

/// White space around goes, control characters become spaces, as in the original.
fn cleaned(value: &str) -> String {
    let visible = |c: char| {
        if c.is_control() && !matches!(c, '\t' | '\n' | '\r') {
            ' '
        } else {
            c
        }
    };
    value
        .chars()
        .map(visible)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn change(arguments: &HashMap<String, String>) -> Result<Change, String> {
    let required = |name: &str| {
        let missing =
            || format!("Missing argument {name}; send it in the query string or as {FORM}");
        arguments.get(name).ok_or_else(missing)
    };
    match required("status")?.as_str() {
        "up" => Ok(Change::Up),
        "down" => Ok(Change::Down(Downtime {
            reason: required("reason")?.clone(),
            expiration: time(arguments, "expiration")?,
            creation: time(arguments, "creation")?,
            ..Downtime::default()
        })),
        _ => Err("status must be up or down".into()),
    }
}

fn time(arguments: &HashMap<String, String>, name: &str) -> Result<Option<f64>, String> {
    let Some(text) = arguments.get(name) else {
        return Ok(None);
    };
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() => Ok(Some(seconds)),
        _ => Err(format!(
            "{name} must be a unix time in seconds, not '{}'",
            text.escape_debug()
        )),
    }
}

/// The door for fuzz/: the downtime that query and form would write, if any.
#[cfg(feature = "fuzzing")]
pub(super) fn downtime(query: &[u8], form: &[u8]) -> Option<Downtime> {
    match change(&merged(query, form)?).ok()? {
        Change::Up => None,
        Change::Down(downtime) => Some(downtime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pairs: &[(&str, &str)]) -> Result<Change, String> {
        change(
            &pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), cleaned(v)))
                .collect(),
        )
    }

    #[test]
    fn bad_arguments_are_named() {
        for (pairs, text) in [
            (vec![], "status"),
            (vec![("status", "sideways")], "status must be up or down"),
            (
                vec![("status", "DOWN"), ("reason", "r")],
                "status must be up or down",
            ),
            (vec![("status", "down")], "reason"),
            (
                vec![("status", "down"), ("reason", "r"), ("expiration", "soon")],
                "expiration",
            ),
            (
                vec![("status", "down"), ("reason", "r"), ("expiration", "inf")],
                "expiration",
            ),
            (
                vec![("status", "down"), ("reason", "r"), ("creation", "nan")],
                "creation",
            ),
        ] {
            let Err(why) = parsed(&pairs) else {
                panic!("{pairs:?} was taken")
            };
            assert!(why.contains(text), "{pairs:?}: {why}");
        }
    }

    #[test]
    fn arguments_are_trimmed_and_stripped_of_control_characters() {
        let Ok(Change::Down(d)) = parsed(&[
            ("status", " down "),
            ("reason", "  a\u{1}b "),
            ("expiration", "4e9"),
        ]) else {
            panic!("refused")
        };
        assert_eq!((d.reason.as_str(), d.expiration), ("a b", Some(4e9)));
    }
}
