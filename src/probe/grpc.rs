//! `grpc` and `grpcs`: `grpc.health.v1.Health/Check` says SERVING for `?service=`, or for the server as a whole.
//!
//! By hand over HTTP/2 (gRPC over HTTP2, "Outgoing" and "Incoming"; health.proto): one request with one string, one
//! answer with one number. The status stands in the trailers, or in the headers when there is nothing else.
//!
//! Rule: no task of the connection outlives the probe.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, TE, USER_AGENT};
use hyper::{HeaderMap, Method, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::{Outcome, Probe, Protocol, Request, options, stream, tls};
use crate::cause::cause_text;

/// The row of `grpc`.
pub(super) const GRPC: Protocol = Protocol {
    name: "grpc",
    needs_slash: false,
    request: Request::Options(service),
    keyed_by_service: false,
    default_port: Some(50051),
    bare_timeout: false,
    probe: |probe| Box::pin(async move { check(probe).await.unwrap_or_else(|failed| failed) }),
};

/// The row of `grpcs`.
pub(super) const GRPCS: Protocol = Protocol {
    name: "grpcs",
    probe: |probe| Box::pin(async move { check(probe).await.unwrap_or_else(|failed| failed) }),
    ..GRPC
};

/// Most bytes of an answer's body. A health answer has seven.
const BODY_MAX: usize = 16 << 10;

/// Most bytes of the answer's headers and trailers.
const HEAD_MAX: u32 = 64 << 10;

/// The service that the query string names; empty for the server as a whole.
fn service(query: &str) -> Result<String, String> {
    let mut service = String::new();
    options::read(query, &["service"], |_, value| {
        service = value.into_owned();
        Ok(())
    })?;
    Ok(service)
}

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let name = service(probe.target.query()).map_err(|e| Outcome::bad_request(format!("grpc: {e}")))?;
    let connection = stream::connect(probe).await?;
    let answer = if probe.protocol.name == "grpcs" {
        exchange(probe, tls::wrap_h2(probe, connection).await?, &name).await?
    } else {
        exchange(probe, connection, &name).await?
    };
    judge(probe, &answer)
}

/// What came.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    trailers: HeaderMap,
    body: Bytes,
}

async fn exchange<S>(probe: &Probe<'_>, stream: S, service: &str) -> Result<Answer, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |e: hyper::Error| probe.failed(cause(&e));
    let scheme = if probe.protocol.name == "grpcs" { "https" } else { "http" };
    let uri = format!("{scheme}://{}:{}/grpc.health.v1.Health/Check", probe.target.host, probe.target.port);
    let request = hyper::Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(uri)
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, concat!("hacheck/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(message(service)))
        .map_err(|e| probe.failed(e))?;
    let tasks = Tasks::default();
    probe.trace.stage("beginning HTTP/2");
    let mut builder = http2::Builder::new(tasks.clone());
    builder
        .max_header_list_size(HEAD_MAX)
        .initial_stream_window_size(HEAD_MAX)
        .initial_connection_window_size(HEAD_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let work = async {
        probe.trace.stage("waiting for the answer");
        read(sender.send_request(request).await?).await
    };
    tokio::pin!(work, connection);
    tokio::select! {
        biased;
        answer = &mut work => answer,
        // The connection is done; what it delivered is still to be picked up.
        _ = &mut connection => work.await,
    }
    .map_err(failed)
}

async fn read(response: Response<Incoming>) -> Result<Answer, hyper::Error> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = incoming.frame().await {
        match frame?.into_data() {
            Ok(data) if body.len() + data.len() > BODY_MAX => break,
            Ok(data) => body.extend_from_slice(&data),
            Err(other) => trailers = other.into_trailers().unwrap_or_default(),
        }
    }
    Ok(Answer { status: head.status, headers: head.headers, trailers, body: body.freeze() })
}

fn cause(e: &hyper::Error) -> String {
    use std::error::Error as _;
    let text = e.source().map_or_else(|| cause_text(e), cause_text);
    format!("the HTTP/2 exchange failed: {text}")
}

/// `HealthCheckRequest { string service = 1; }` in a frame: no compression, length, message.
fn message(service: &str) -> Bytes {
    let mut proto = BytesMut::new();
    if !service.is_empty() {
        proto.put_u8(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            proto.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        proto.put_u8(u8::try_from(length).unwrap_or_default());
        proto.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(proto.len() + 5);
    frame.put_u8(0);
    // A query string is shorter than 4 GiB.
    frame.put_u32(u32::try_from(proto.len()).unwrap_or_default());
    frame.put_slice(&proto);
    frame.freeze()
}

fn judge(probe: &Probe<'_>, answer: &Answer) -> Result<Outcome, Outcome> {
    let kind = answer.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if answer.status != StatusCode::OK || !kind.starts_with("application/grpc") {
        let kind = if kind.is_empty() { "no content type".into() } else { kind.escape_debug().to_string() };
        return Err(probe.failed(format_args!("the answer is not gRPC's: {}, {kind}", answer.status)));
    }
    let header = |name| answer.trailers.get(name).or_else(|| answer.headers.get(name)).and_then(|v| v.to_str().ok());
    match header("grpc-status") {
        Some("0") => {}
        Some(code) => {
            let message = header("grpc-message").map(percent_decoded).unwrap_or_default();
            let message = message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect::<String>();
            let about = if message.is_empty() { String::new() } else { format!(": {message}") };
            return Err(probe.failed(format_args!("{}{about}", code_name(code))));
        }
        None => return Err(probe.failed("the answer has no grpc-status")),
    }
    match serving_status(&answer.body) {
        Some(1) => Ok(Outcome::healthy("SERVING")),
        Some(0) => Err(probe.failed("UNKNOWN")),
        Some(2) => Err(probe.failed("NOT_SERVING")),
        Some(3) => Err(probe.failed("SERVICE_UNKNOWN")),
        Some(other) => Err(probe.failed(format_args!("unknown serving status {other}"))),
        None => Err(probe.failed("the answer is not a HealthCheckResponse")),
    }
}

/// `HealthCheckResponse { ServingStatus status = 1; }`; a status that is left out is 0.
fn serving_status(frame: &[u8]) -> Option<u64> {
    let (head, message) = frame.split_at_checked(5)?;
    let length = u32::from_be_bytes(head.get(1..5)?.try_into().ok()?);
    // The request allowed no compression.
    if head.first() != Some(&0) || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut rest = message;
    let mut status = 0;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        match key & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if key >> 3 == 1 {
                    status = value;
                }
            }
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The names of gRPC's status codes (grpc/doc/statuscodes.md).
fn code_name(code: &str) -> String {
    const NAMES: [&str; 17] = [
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let name = code.parse::<usize>().ok().and_then(|n| NAMES.get(n));
    name.map_or_else(|| format!("grpc-status {}", code.escape_debug()), |n| format!("grpc-status {code} {n}"))
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|h| std::str::from_utf8(h).ok()).filter(|_| byte == b'%');
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                rest = &after[2..];
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Runs the connection's tasks, and ends them with the probe.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, work: F) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(async move {
            work.await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_frame() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("ab")[..], b"\0\0\0\0\x04\x0a\x02ab");
        let long = message(&"x".repeat(300));
        assert_eq!(&long[..8], b"\0\0\0\x01\x2f\x0a\xac\x02");
    }

    #[test]
    fn answers_are_read_and_garbage_is_none() {
        for (frame, status) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], Some(1)),
            (b"\0\0\0\0\0", Some(0)),
            (b"\0\0\0\0\x05\x12\x01x\x08\x02", Some(2)),
            (b"\x01\0\0\0\x02\x08\x01", None),
            (b"\0\0\0\0\x03\x08\x01", None),
            (b"\0\0\0\0\x02\x08\xff", None),
            (b"\0\0\0\0\x02\x12\x7f", None),
            (b"\0\0", None),
            (b"\0\0\0\0\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", None),
        ] {
            assert_eq!(serving_status(frame), status, "{frame:?}");
        }
    }

    #[test]
    fn messages_are_percent_decoded() {
        assert_eq!(percent_decoded("unknown%20service+a&b=c%21"), "unknown service+a&b=c!");
        assert_eq!(code_name("12"), "grpc-status 12 UNIMPLEMENTED");
        assert_eq!(code_name("99"), "grpc-status 99");
    }
}
