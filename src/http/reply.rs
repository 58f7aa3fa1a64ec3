//! Answers to pollers.
//!
//! Rule: nothing is ever served as HTML, and nothing of an upstream's headers is passed on.

use bytes::Bytes;
use http_body_util::Full;
use hyper::ext::ReasonPhrase;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};

/// An answer, ready to be sent.
pub type Reply = Response<Full<Bytes>>;

/// Plain text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    typed(status, body.into(), HeaderValue::from_static("text/plain; charset=utf-8"))
}

/// JSON with status 200; for people and tools, so it is not to be cached.
#[must_use]
pub fn json(value: &serde_json::Value) -> Reply {
    let body = Bytes::from(value.to_string());
    let mut reply = typed(StatusCode::OK, body, HeaderValue::from_static("application/json; charset=UTF-8"));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// Metrics in the Prometheus text format, version 0.0.4.
#[must_use]
pub fn metrics(body: String) -> Reply {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    typed(StatusCode::OK, Bytes::from(body), kind)
}

/// 405, with the methods that would work.
#[must_use]
pub fn method_not_allowed(allowed: &'static str) -> Reply {
    let body = format!("method not allowed; this path takes {allowed}");
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, body);
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    reply
}

/// Adds a header.
#[must_use]
pub fn with(mut reply: Reply, name: HeaderName, value: HeaderValue) -> Reply {
    reply.headers_mut().insert(name, value);
    reply
}

/// Asks to come back in a second.
#[must_use]
pub fn retry_soon(reply: Reply) -> Reply {
    with(reply, RETRY_AFTER, HeaderValue::from_static("1"))
}

/// Sets the reason phrase of the status line, which HAProxy shows in its log and statistics; it must be printable.
#[must_use]
pub fn phrased(mut reply: Reply, phrase: Option<String>) -> Reply {
    if let Some(phrase) = phrase.and_then(|p| ReasonPhrase::try_from(p).ok()) {
        reply.extensions_mut().insert(phrase);
    }
    reply
}

fn typed(status: StatusCode, body: Bytes, kind: HeaderValue) -> Reply {
    // These have no body (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5).
    let empty = matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED);
    let zero = body.is_empty() && !empty;
    let mut reply = Response::new(Full::new(if empty { Bytes::new() } else { body }));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if zero {
        // An answer to HEAD would lack it; of others hyper tells the length itself.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}
