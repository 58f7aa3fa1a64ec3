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
use tokio::task::spawn_blocking;

use super::state::{DaemonState, Live};
use super::tokens::Bearer;
use super::{cross_site, event_log};
use crate::config::DaemonSettings;
use crate::http::memory::{BodyBuffer, MemoryPermit, SMALL_REQUEST};
use crate::http::reply::{self, Reply};
use crate::http::tls::ClientCertificate;
use crate::ledger::history::{EventKind, HostEvent};
use crate::os::logging::Seldom;
use crate::spool::{Downtime, Key, NameError, ServiceName, SpoolError, unix_now};

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
    let who = match permitted(&live, &request, from) {
        Ok(who) => who,
        Err(denied) => {
            note_denied(state, &service, from, denied.why);
            return denied.reply();
        }
    };
    // The place stays taken until the change is made.
    let (arguments, _place) = match arguments_in_time(state, &live, request).await {
        Ok(arguments) => arguments,
        Err(refused) => return refused,
    };
    let change = match change(&arguments) {
        Ok(change) => change,
        Err(why) => {
            log::warn!("refused a spool change of {service} from {who}: {why}");
            return reply::text(StatusCode::BAD_REQUEST, why);
        }
    };
    match key(service, port) {
        Ok(key) => apply(state, key, change, &who).await,
        Err(e) => reply::text(StatusCode::BAD_REQUEST, e.to_string()),
    }
}

fn note_denied(state: &DaemonState, service: &ServiceName, from: IpAddr, why: &str) {
    let refused = &state.counters.spool_changes_refused;
    refused.fetch_add(1, Ordering::Relaxed);
    // Not each time, or whoever is refused could fill the log.
    if let Some(times) = REFUSED.now() {
        log::warn!("refused a spool change of {service} from {from}: {why}{times}");
    }
}

/// What is taken down or up: port 0 means the whole service, as in the original.
fn key(service: ServiceName, port: u16) -> Result<Key, NameError> {
    match port {
        0 => Ok(Key::service(service)),
        port => Key::instance(service, None, port),
    }
}

/// Why a change may not be made: for the log, and as the answer.
struct Denied {
    why: &'static str,
    status: StatusCode,
    text: String,
}

impl Denied {
    fn forbidden(why: &'static str, text: impl Into<String>) -> Self {
        Self {
            why,
            status: StatusCode::FORBIDDEN,
            text: text.into(),
        }
    }

    fn unauthorized(why: &'static str, text: &str) -> Self {
        Self {
            why,
            status: StatusCode::UNAUTHORIZED,
            text: text.to_owned(),
        }
    }

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
fn permitted(live: &Live, request: &Request<Incoming>, from: IpAddr) -> Result<String, Denied> {
    let headers = request.headers();
    expect_enabled(&live.config.daemon)?;
    expect_allowed(&live.config.daemon, from)?;
    // Before the tokens: a browser may hold one for whoever sits at it.
    expect_no_foreign_page(live, headers)?;
    let names = &live.config.daemon.remote_spool_certs;
    if let Some(name) = certificate_name(request, names) {
        return Ok(format!("{from} with the certificate of {name}"));
    }
    match live.tokens.bearer(headers) {
        Bearer::Free if !names.is_empty() => Err(Denied::unauthorized(
            "it has no certificate of remote_spool_certs",
            "a spool change needs a client certificate that is known",
        )),
        Bearer::Free => Ok(from.to_string()),
        Bearer::Holds(name) => Ok(format!("{from} with the token {name}")),
        Bearer::Missing => Err(Denied::unauthorized(
            "it carries no token",
            "a spool change needs a token: Authorization: Bearer …",
        )),
        Bearer::Wrong => Err(Denied::unauthorized(
            "its token is not one of remote_spool_tokens",
            "the token is not one that is known",
        )),
    }
}

fn expect_enabled(settings: &DaemonSettings) -> Result<(), Denied> {
    if settings.allow_remote_spool_changes {
        return Ok(());
    }
    Err(Denied::forbidden(
        "allow_remote_spool_changes is not set",
        "remote spool changes are not enabled",
    ))
}

fn expect_allowed(settings: &DaemonSettings, from: IpAddr) -> Result<(), Denied> {
    let mut allowed = settings.remote_spool_from.iter();
    if allowed.any(|network| network.contains(from)) {
        return Ok(());
    }
    let why = "the address is outside remote_spool_from";
    let text = format!("{from} may not change the spool: see remote_spool_from");
    Err(Denied::forbidden(why, text))
}

fn expect_no_foreign_page(live: &Live, headers: &HeaderMap) -> Result<(), Denied> {
    let page_hosts = &live.config.daemon.page_hosts;
    if !cross_site::is_foreign(headers, live.this_host(), page_hosts) {
        return Ok(());
    }
    Err(Denied::forbidden(
        "a web page of another site sent it",
        "a web page of another site sent this, so the spool was not changed; use a tool, or a page of this host",
    ))
}

/// Makes the change, and logs it: the next look at the spool may be too late, and does not know who lifted a downtime.
fn make(state: &DaemonState, key: &Key, change: Change, who: &str) -> Result<(), SpoolError> {
    let spool = state.gate.spool();
    match change {
        Change::Up => match spool.up(key)? {
            true => note(state, lifted(key, who)),
            false => log::info!("{who} lifted the downtime of {key}, which was not down"),
        },
        Change::Down(mut downtime) => {
            downtime.set_by(who);
            let event = down(key, &downtime, who);
            spool.down(key, downtime)?;
            note(state, event);
        }
    }
    Ok(())
}

fn note(state: &DaemonState, event: HostEvent) {
    event_log::changed(&event);
    state.spool_watch.is_logged(event);
}

fn lifted(key: &Key, who: &str) -> HostEvent {
    HostEvent {
        service: Some(key.file_name()),
        by: Some(who.to_owned()),
        ..HostEvent::new(unix_now(), EventKind::Lifted)
    }
}

fn down(key: &Key, downtime: &Downtime, who: &str) -> HostEvent {
    HostEvent {
        text: Some(downtime.one_line()),
        until: downtime.expiration,
        kind: EventKind::Down,
        ..lifted(key, who)
    }
}

/// Whose certificate the request came with, if it is one of these names'.
fn certificate_name<'a>(request: &Request<Incoming>, names: &'a [String]) -> Option<&'a str> {
    let certificate: &ClientCertificate = request.extensions().get()?;
    certificate.name_among(names)
}

async fn apply(state: &Arc<DaemonState>, key: Key, mut change: Change, who: &str) -> Reply {
    let cut = match &mut change {
        Change::Up => false,
        Change::Down(downtime) => downtime.cut_reason(),
    };
    let (writing, by) = (Arc::clone(state), who.to_owned());
    // Writing waits for the lock and the disk.
    let done = spawn_blocking(move || make(&writing, &key, change, &by));
    match done.await {
        Ok(Ok(())) => {
            state.counters.spool_changes.fetch_add(1, Ordering::Relaxed);
            reply::text(StatusCode::OK, if cut { REASON_WAS_CUT } else { "" })
        }
        Ok(Err(e)) => {
            log::error!("spool change from {who}: {e}");
            not_done(e.to_string())
        }
        Err(e) => not_done(format!("the change broke off: {e}")),
    }
}

fn not_done(why: String) -> Reply {
    reply::text(StatusCode::INTERNAL_SERVER_ERROR, why)
}

/// By name; of repeated ones the last counts, the form's after the query's.
type Arguments = HashMap<String, String>;

/// The arguments, and the place of the form that they came in. Whoever sends a body slowly holds a place in memory
/// meanwhile, so there is a limit.
async fn arguments_in_time(
    state: &DaemonState,
    live: &Live,
    request: Request<Incoming>,
) -> Result<(Arguments, MemoryPermit), Reply> {
    let permit = state.memory.permit(SMALL_REQUEST);
    let form = BodyBuffer::new(permit, live.config.daemon.max_request_body);
    let limit = live.config.http.header_timeout;
    match tokio::time::timeout(limit, arguments(request, form)).await {
        Ok(arguments) => arguments,
        Err(_) => {
            let text = "the body did not come in time";
            Err(reply::text(StatusCode::REQUEST_TIMEOUT, text))
        }
    }
}

/// The arguments of query string and form.
async fn arguments(
    request: Request<Incoming>,
    mut form: BodyBuffer,
) -> Result<(Arguments, MemoryPermit), Reply> {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_form = is_form(request.headers());
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

/// By the media type, whatever parameters follow it (RFC 9110 section 8.3.1).
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let media_type = kind.unwrap_or_default().split(';').next();
    media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case(FORM))
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
fn merged(query: &[u8], form: &[u8]) -> Option<Arguments> {
    let pairs = || form_urlencoded::parse(query).chain(form_urlencoded::parse(form));
    // What is no UTF-8 becomes U+FFFD, which nobody types.
    let is_text = pairs().all(|(n, v)| !n.contains('\u{fffd}') && !v.contains('\u{fffd}'));
    if !is_text {
        return None;
    }
    let cleaned = pairs().map(|(name, value)| (name.into_owned(), cleaned(&value)));
    Some(cleaned.collect())
}

/// White space around goes, control characters become spaces, as in the original.
fn cleaned(value: &str) -> String {
    let visible: String = value.chars().map(visible).collect();
    visible.trim().to_owned()
}

fn visible(c: char) -> char {
    if c.is_control() && !matches!(c, '\t' | '\n' | '\r') {
        ' '
    } else {
        c
    }
}

fn change(arguments: &Arguments) -> Result<Change, String> {
    match required(arguments, "status")? {
        "up" => Ok(Change::Up),
        "down" => Ok(Change::Down(wanted_downtime(arguments)?)),
        _ => Err("status must be up or down".into()),
    }
}

fn wanted_downtime(arguments: &Arguments) -> Result<Downtime, String> {
    Ok(Downtime {
        reason: required(arguments, "reason")?.to_owned(),
        expiration: time(arguments, "expiration")?,
        creation: time(arguments, "creation")?,
        ..Downtime::default()
    })
}

fn required<'a>(arguments: &'a Arguments, name: &str) -> Result<&'a str, String> {
    match arguments.get(name) {
        Some(value) => Ok(value),
        None => Err(format!(
            "Missing argument {name}; send it in the query string or as {FORM}"
        )),
    }
}

fn time(arguments: &Arguments, name: &str) -> Result<Option<f64>, String> {
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
mod tests;
