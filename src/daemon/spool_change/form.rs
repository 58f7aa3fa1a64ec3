//! The arguments of a change: from the query string, and from a form in the body.
//!
//! Rule: a body has its place in the memory budget before it is read, and a deadline.

use std::collections::HashMap;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap};
use hyper::{Request, StatusCode};

use crate::daemon::state::{DaemonState, Live};
use crate::http::memory::{BodyBuffer, MemoryPermit, SMALL_REQUEST};
use crate::http::reply::{self, Reply};

/// The media type of a form.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// By name; of repeated ones the last counts, the form's after the query's.
pub(super) type Arguments = HashMap<String, String>;

/// The arguments, and the place of the form that they came in. Whoever sends a body slowly holds a place in memory
/// meanwhile, so there is a limit.
pub(super) async fn arguments_in_time(
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
    // Copied, as reading the body consumes the request.
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
        let frame = frame.map_err(|e| broken_off(&e))?;
        // Trailers are no part of a form.
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

fn broken_off(e: &hyper::Error) -> Reply {
    let text = format!("the body cannot be read: {e}");
    reply::text(StatusCode::BAD_REQUEST, text)
}

fn over(most: usize) -> Reply {
    let text = format!("the body is over {most} bytes (max_request_body)");
    reply::text(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// The arguments of both; `None` when they are no text.
pub(super) fn merged(query: &[u8], form: &[u8]) -> Option<Arguments> {
    // The form second: collecting keeps the later one of two arguments of a name.
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
pub(super) fn cleaned(value: &str) -> String {
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
