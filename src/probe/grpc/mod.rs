//! `grpc` and `grpcs`: `grpc.health.v1.Health/Check` says SERVING for `?service=`, or for the server as a whole.
//!
//! By hand over HTTP/2 (gRPC over HTTP2, "Outgoing" and "Incoming"; health.proto): one request with one string, one
//! answer with one number. The status stands in the trailers, or in the headers when there is nothing else.
//!
//! Rule: no task of the connection outlives the probe.

mod message;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper::header::{CONTENT_TYPE, TE, USER_AGENT};
use hyper::{HeaderMap, Method, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::{OptionError, Outcome, Probe, Protocol, Request, Target, options, settle, stream, tls};
use crate::os::cause::cause_text;
use message::{code_name, message, serving_status};

/// The row of `grpc`.
pub(super) const GRPC: Protocol = Protocol {
    name: "grpc",
    needs_slash: false,
    request: Request::Options(service),
    keyed_by_service: false,
    default_port: Some(50051),
    bare_timeout: false,
    probe: |probe| settle(check(probe)),
};

/// The row of `grpcs`.
pub(super) const GRPCS: Protocol = Protocol {
    name: "grpcs",
    probe: |probe| settle(check(probe)),
    ..GRPC
};

/// Most bytes of an answer's body. A health answer has seven.
const BODY_MAX: usize = 16 << 10;

/// Most bytes of the answer's headers and trailers.
const HEAD_MAX: u32 = 64 << 10;

/// Most characters of a server's message that are answered.
const MESSAGE_MAX: usize = 300;

/// What is called.
const METHOD: &str = "/grpc.health.v1.Health/Check";

/// The service that the query string names; empty for the server as a whole.
fn service(query: &str) -> Result<String, OptionError> {
    let mut options = options::read(query, &["service"])?;
    match options.pop() {
        Some((_, service)) => Ok(service),
        None => Ok(String::new()),
    }
}

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let service =
        service(probe.target.query()).map_err(|e| Outcome::bad_request(format!("grpc: {e}")))?;
    let request = request(probe, &service).map_err(|e| probe.failed(e))?;
    let connection = stream::connect(probe).await?;
    let answer = if is_encrypted(probe) {
        let encrypted = tls::wrap_h2(probe, connection).await?;
        exchange(probe, encrypted, request).await
    } else {
        exchange(probe, connection, request).await
    };
    judge(probe, &answer.map_err(|e| probe.failed(cause(&e)))?)
}

fn is_encrypted(probe: &Probe<'_>) -> bool {
    probe.protocol.name == "grpcs"
}

fn request(
    probe: &Probe<'_>,
    service: &str,
) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
    let scheme = if is_encrypted(probe) { "https" } else { "http" };
    let Target { host, port, .. } = probe.target;
    hyper::Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(format!("{scheme}://{host}:{port}{METHOD}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, concat!("hacheck/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(message(service)))
}

/// What came.
struct HealthResponse {
    status: StatusCode,
    headers: HeaderMap,
    trailers: HeaderMap,
    body: Bytes,
}

impl HealthResponse {
    /// What a trailer says, or a header where the answer has no trailers.
    fn field(&self, name: &str) -> Option<&str> {
        let value = match self.trailers.get(name) {
            Some(trailer) => trailer,
            None => self.headers.get(name)?,
        };
        value.to_str().ok()
    }

    fn content_type(&self) -> &str {
        match self.headers.get(CONTENT_TYPE) {
            Some(value) => value.to_str().unwrap_or_default(),
            None => "",
        }
    }
}

async fn exchange<S>(
    probe: &Probe<'_>,
    stream: S,
    request: hyper::Request<Full<Bytes>>,
) -> Result<HealthResponse, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let tasks = Tasks::default();
    probe.trace.stage("beginning HTTP/2");
    let (mut sender, connection) = http2::Builder::new(tasks.clone())
        .max_header_list_size(HEAD_MAX)
        .initial_stream_window_size(HEAD_MAX)
        .initial_connection_window_size(HEAD_MAX)
        .handshake(TokioIo::new(stream))
        .await?;
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
}

async fn read(response: Response<Incoming>) -> Result<HealthResponse, hyper::Error> {
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    let mut trailers = HeaderMap::new();
    while let Some(frame) = incoming.frame().await {
        match frame?.into_data() {
            // Too long for what we read, which shows when it is decoded.
            Ok(data) if body.len() + data.len() > BODY_MAX => break,
            Ok(data) => body.extend_from_slice(&data),
            Err(other) => trailers = other.into_trailers().unwrap_or_default(),
        }
    }
    Ok(HealthResponse {
        status: head.status,
        headers: head.headers,
        trailers,
        body: body.freeze(),
    })
}

fn cause(error: &hyper::Error) -> String {
    use std::error::Error as _;
    // hyper's own text says only that HTTP/2 failed.
    let text = match error.source() {
        Some(source) => cause_text(source),
        None => cause_text(error),
    };
    format!("the HTTP/2 exchange failed: {text}")
}

fn judge(probe: &Probe<'_>, response: &HealthResponse) -> Result<Outcome, Outcome> {
    expect_grpc(probe, response)?;
    match response.field("grpc-status") {
        Some("0") => {}
        Some(code) => return Err(probe.failed(refusal(code, response))),
        None => return Err(probe.failed("the answer has no grpc-status")),
    }
    match serving_status(&response.body) {
        Some(1) => Ok(Outcome::healthy("SERVING")),
        Some(0) => Err(probe.failed("UNKNOWN")),
        Some(2) => Err(probe.failed("NOT_SERVING")),
        Some(3) => Err(probe.failed("SERVICE_UNKNOWN")),
        Some(other) => Err(probe.failed(format_args!("unknown serving status {other}"))),
        None => Err(probe.failed("the answer is not a HealthCheckResponse")),
    }
}

fn expect_grpc(probe: &Probe<'_>, response: &HealthResponse) -> Result<(), Outcome> {
    let kind = response.content_type();
    if response.status == StatusCode::OK && kind.starts_with("application/grpc") {
        return Ok(());
    }
    let kind = match kind {
        "" => "no content type".to_owned(),
        other => other.escape_debug().to_string(),
    };
    let status = response.status;
    Err(probe.failed(format_args!("the answer is not gRPC's: {status}, {kind}")))
}

/// What a server says that does not answer: the code and, where there is one, the message.
fn refusal(code: &str, response: &HealthResponse) -> String {
    let code = code_name(code);
    match response.field("grpc-message") {
        None | Some("") => code,
        Some(message) => format!("{code}: {}", readable(message)),
    }
}

/// A message is percent-encoded (gRPC over HTTP2, "Responses").
fn readable(message: &str) -> String {
    let decoded = percent_decode_str(message).decode_utf8_lossy();
    let mut text = String::new();
    for c in decoded.chars().take(MESSAGE_MAX) {
        text.push(if c.is_control() { ' ' } else { c });
    }
    text
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
        let work = async {
            work.await;
        };
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_decoded_and_put_on_one_line() {
        assert_eq!(
            readable("unknown%20service+a&b=c%21"),
            "unknown service+a&b=c!"
        );
        assert_eq!(readable("a%0Ab%+f"), "a b%+f");
    }
}
