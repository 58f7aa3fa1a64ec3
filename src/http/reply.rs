//! Answers to pollers.
//!
//! Rule: nothing is ever served as HTML, and nothing of an upstream's headers is passed on.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hyper::body::Body as _;
use hyper::ext::ReasonPhrase;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{HeaderMap, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use super::grpc::Code;
use super::memory::{MemoryBudget, MemoryFull};
use super::page_text::PageText;
use super::phrase::reason_phrase;
use super::reply_body::{BudgetPlace, ReplyBody};

/// Who may read an answer: pages of other hosts may not.
pub(crate) const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// What does not stand as it is in a message of gRPC (gRPC over HTTP2, "Responses").
const IN_GRPC_MESSAGE: &AsciiSet = &CONTROLS.add(b'%');

/// An answer, ready to be sent.
pub(crate) type Reply = Response<ReplyBody>;

/// The headers of plain text. A copy takes half as long as putting them together.
static PLAIN: LazyLock<ReplyHeaders> =
    LazyLock::new(|| ReplyHeaders::new(HeaderValue::from_static("text/plain; charset=utf-8")));

/// Plain text.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let body = ReplyBody::new(body.into(), BudgetPlace::Wanted);
    typed(status, body, &PLAIN)
}

/// Plain text that has a place in memory already, or needs none as it is part of the binary.
pub(crate) fn held_text(status: StatusCode, body: Bytes) -> Reply {
    typed(status, ReplyBody::new(body, BudgetPlace::Had), &PLAIN)
}

/// The answer where there is no place for another one.
pub(crate) fn full(full: MemoryFull) -> Reply {
    let text = text(StatusCode::SERVICE_UNAVAILABLE, format!("{full}\n"));
    retry_soon(text)
}

/// Finds a place for an answer that has none yet; else refuses it.
pub(crate) fn placed(reply: Reply, memory: &Arc<MemoryBudget>) -> Reply {
    let (head, body) = reply.into_parts();
    match body.placed(memory) {
        Ok(body) => Response::from_parts(head, body),
        Err(none) => full(none),
    }
}

/// JSON with status 200; for people and tools, so it is not to be cached. Should a browser show it, it is data and
/// nothing else, and no page of another host can read it.
#[must_use]
pub(crate) fn json(value: &impl Serialize) -> Reply {
    // Texts and numbers always fit into JSON.
    let body = serde_json::to_vec(value).unwrap_or_default();
    json_body(ReplyBody::new(body.into(), BudgetPlace::Wanted))
}

/// The same of a page that many may share, in pieces; 503 where there is no place for it.
pub(crate) fn json_page(value: &impl Serialize, memory: &Arc<MemoryBudget>) -> Reply {
    match PageText::json(value, memory) {
        Ok(text) => json_body(ReplyBody::page(Arc::new(text))),
        Err(none) => full(none),
    }
}

/// A page of fixed bytes, which need no place in memory. The caller says what it is.
pub(super) fn fixed_page(text: Arc<PageText>) -> Reply {
    typed(StatusCode::OK, ReplyBody::page(text), &PLAIN)
}

fn json_body(body: ReplyBody) -> Reply {
    let kind = HeaderValue::from_static("application/json; charset=UTF-8");
    let mut reply = typed(StatusCode::OK, body, &ReplyHeaders::new(kind));
    for (name, value) in DATA_ONLY {
        let value = HeaderValue::from_static(value);
        reply.headers_mut().insert(name, value);
    }

    reply
}

/// For answers that are data and nothing else.
const DATA_ONLY: [(HeaderName, &str); 3] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    (CORP, "same-origin"),
];

/// Metrics in the Prometheus text format, version 0.0.4. They are of most use when memory is short, so they get a place.
#[must_use]
pub(crate) fn metrics(body: String) -> Reply {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let body = ReplyBody::new(body.into(), BudgetPlace::Due);
    typed(StatusCode::OK, body, &ReplyHeaders::new(kind))
}

/// 405, with the methods that would work.
#[must_use]
pub(crate) fn method_not_allowed(allowed: &'static str) -> Reply {
    let body = format!("method not allowed; this path takes {allowed}");
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, body);
    reply
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// 405 to what is not HTTP/2: no method would work.
#[must_use]
pub(crate) fn needs_http2(body: &'static str) -> Reply {
    let reply = text(StatusCode::METHOD_NOT_ALLOWED, body);
    with(reply, ALLOW, HeaderValue::from_static(""))
}

/// A message of gRPC, in a frame.
#[must_use]
pub(crate) fn grpc(frame: Bytes) -> Reply {
    let mut reply = Response::new(ReplyBody::with_trailers(frame, status_of(Code::Ok)));
    reply.headers_mut().insert(CONTENT_TYPE, GRPC);
    reply
}

/// The status of a call that is not answered, and why, in the headers alone (gRPC over HTTP2, "Trailers-Only").
#[must_use]
pub(crate) fn grpc_status(code: Code, text: &str) -> Reply {
    let mut reply = Response::new(ReplyBody::default());
    // The HTTP status stays 200; gRPC clients look at this header.
    *reply.headers_mut() = status_of(code);
    reply.headers_mut().insert(CONTENT_TYPE, GRPC);
    let message = utf8_percent_encode(text, IN_GRPC_MESSAGE).to_string();
    // What is encoded is always a value.
    if let Ok(message) = HeaderValue::try_from(message) {
        reply.headers_mut().insert(GRPC_MESSAGE, message);
    }

    reply
}

fn status_of(code: Code) -> HeaderMap {
    HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from(code as u16))])
}

/// What is told of an answer to HEAD: all but the body.
pub(super) fn without_body(mut reply: Reply) -> Reply {
    // Set by hand: hyper would tell the length of the empty body that it gets.
    let length = reply.body().size_hint().lower();
    if length > 0 {
        reply.headers_mut().insert(CONTENT_LENGTH, length.into());
    }

    reply.map(|_| ReplyBody::default())
}

/// Tells an HTTP/1 poller that the connection ends, so that it sends no further request there.
pub(super) fn last(reply: Reply) -> Reply {
    with(reply, CONNECTION, HeaderValue::from_static("close"))
}

/// Says whether the answer is for an established poller, for whom a part of the memory is kept.
pub(crate) fn for_established(mut reply: Reply, is_established: bool) -> Reply {
    reply.body_mut().set_for_established(is_established);
    reply
}

/// Adds a header.
#[must_use]
pub(crate) fn with(mut reply: Reply, name: HeaderName, value: HeaderValue) -> Reply {
    reply.headers_mut().insert(name, value);
    reply
}

/// Asks to come back in a second.
#[must_use]
pub(crate) fn retry_soon(reply: Reply) -> Reply {
    with(reply, RETRY_AFTER, HeaderValue::from_static("1"))
}

/// Makes the reason phrase of the status line of a text. HAProxy shows it in its log and its statistics.
#[must_use]
pub(crate) fn phrased(mut reply: Reply, text: &str) -> Reply {
    // Without it hyper writes the standard phrase of the status.
    if let Some(phrase) = reason_phrase(text)
        && let Ok(phrase) = ReasonPhrase::try_from(phrase)
    {
        reply.extensions_mut().insert(phrase);
    }

    reply
}

/// The headers of an answer.
struct ReplyHeaders {
    /// Of one whose length hyper tells itself.
    usual: HeaderMap,
    /// Of one that is empty: an answer to HEAD would lack the length.
    empty: HeaderMap,
}

impl ReplyHeaders {
    fn new(kind: HeaderValue) -> Self {
        let nosniff = HeaderValue::from_static("nosniff");
        let usual = HeaderMap::from_iter([(CONTENT_TYPE, kind), (X_CONTENT_TYPE_OPTIONS, nosniff)]);
        let mut empty = usual.clone();
        empty.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Self { usual, empty }
    }
}

fn typed(status: StatusCode, body: ReplyBody, headers: &ReplyHeaders) -> Reply {
    // Such statuses must not have a body, even if an upstream sent one.
    let (body, headers) = match has_body(status) {
        false => (ReplyBody::default(), &headers.usual),
        true if body.is_end_stream() => (body, &headers.empty),
        true => (body, &headers.usual),
    };

    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = headers.clone();
    reply
}

/// Whether a status may have a body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5).
fn has_body(status: StatusCode) -> bool {
    use StatusCode as S;
    !matches!(status, S::NO_CONTENT | S::RESET_CONTENT | S::NOT_MODIFIED)
}
