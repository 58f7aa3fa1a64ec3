//! `POST /spool/<service>/<port>`: operators' tools take services down and up from afar.
//!
//! Rule: nothing is read of a request before it is known to be allowed, and every change is logged with who made it.

mod form;
mod permission;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::task::spawn_blocking;

use self::form::{Arguments, FORM, arguments_in_time};
use self::permission::permitted;
use super::event_log;
use super::state::DaemonState;
use crate::http::reply::{self, Reply};
use crate::ledger::history::{EventKind, HostEvent};
use crate::os::logging::Seldom;
use crate::spool::{Downtime, Key, NameError, ServiceName, SpoolError, unix_now};

/// How often refused changes are logged.
static REFUSED: Seldom = Seldom::new();

/// The answer to a reason over [`spool::REASON_MAX`](crate::spool::REASON_MAX).
const REASON_WAS_CUT: &str = "the reason was longer than 256 KiB and was cut\n";

/// What is to be done.
enum Change {
    Up,
    Down(Downtime),
}

/// Answers the request: 200 with an empty body when done.
pub(crate) async fn post(
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

/// Makes the change, and logs it: the next look at the spool may be too late, and does not know who lifted a downtime.
fn make(state: &DaemonState, key: &Key, change: Change, who: &str) -> Result<(), SpoolError> {
    match change {
        Change::Up => lift(state, key, who),
        Change::Down(downtime) => take_down(state, key, downtime, who),
    }
}

fn lift(state: &DaemonState, key: &Key, who: &str) -> Result<(), SpoolError> {
    match state.gate.spool().up(key)? {
        true => note(state, lifted(key, who)),
        false => log::info!("{who} lifted the downtime of {key}, which was not down"),
    }

    Ok(())
}

fn take_down(
    state: &DaemonState,
    key: &Key,
    mut downtime: Downtime,
    who: &str,
) -> Result<(), SpoolError> {
    downtime.set_by(who);
    // Made first, as writing takes the downtime; noted only once it is written.
    let event = down(key, &downtime, who);
    state.gate.spool().down(key, downtime)?;
    note(state, event);
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

async fn apply(state: &Arc<DaemonState>, key: Key, mut change: Change, who: &str) -> Reply {
    // Cut here and not by the spool, as the answer tells of it.
    let cut = match &mut change {
        Change::Up => false,
        Change::Down(downtime) => downtime.cut_reason(),
    };

    match write(state, key, change, who).await {
        Ok(()) => {
            state.counters.spool_changes.fetch_add(1, Ordering::Relaxed);
            reply::text(StatusCode::OK, if cut { REASON_WAS_CUT } else { "" })
        }
        Err(not_done) => not_done,
    }
}

async fn write(state: &Arc<DaemonState>, key: Key, change: Change, who: &str) -> Result<(), Reply> {
    let (writing, by) = (Arc::clone(state), who.to_owned());
    // Writing waits for the lock and the disk. It is not broken off when the client goes, so what was written is logged.
    let done = spawn_blocking(move || make(&writing, &key, change, &by));
    match done.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(e)) => {
            log::error!("spool change from {who}: {e}");
            Err(not_done(e.to_string()))
        }
        Err(e) => Err(not_done(format!("the change broke off: {e}"))),
    }
}

fn not_done(why: String) -> Reply {
    reply::text(StatusCode::INTERNAL_SERVER_ERROR, why)
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

    match seconds(text) {
        Some(seconds) => Ok(Some(seconds)),
        None => {
            let text = text.escape_debug();
            Err(format!(
                "{name} must be a unix time in seconds, not '{text}'"
            ))
        }
    }
}

fn seconds(text: &str) -> Option<f64> {
    let seconds: f64 = text.parse().ok()?;
    // The parser takes "inf" and "NaN" too.
    seconds.is_finite().then_some(seconds)
}

/// The door for fuzz/: the downtime that query and form would write, if any.
#[cfg(feature = "fuzzing")]
pub(super) fn downtime(query: &[u8], form: &[u8]) -> Option<Downtime> {
    match change(&form::merged(query, form)?).ok()? {
        Change::Up => None,
        Change::Down(downtime) => Some(downtime),
    }
}

#[cfg(test)]
mod tests;
