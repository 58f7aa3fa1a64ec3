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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::{Outcome, Probe, Protocol, Request, options, stream, tls};
use crate::os::cause::cause_text;
use message::{code_name, message, percent_decoded, serving_status};

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
    let name =
        service(probe.target.query()).map_err(|e| Outcome::bad_request(format!("grpc: {e}")))?;
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
    let scheme = if probe.protocol.name == "grpcs" {
        "https"
    } else {
        "http"
    };
    let uri = format!(
        "{scheme}://{}:{}/grpc.health.v1.Health/Check",
        probe.target.host, probe.target.port
    );
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
    let (mut sender, connection) = builder
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
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
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        trailers,
        body: body.freeze(),
    })
}

fn cause(e: &hyper::Error) -> String {
    use std::error::Error as _;
    let text = e.source().map_or_else(|| cause_text(e), cause_text);
    format!("the HTTP/2 exchange failed: {text}")
}

fn judge(probe: &Probe<'_>, answer: &Answer) -> Result<Outcome, Outcome> {
    let kind = answer
        .headers
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    if answer.status != StatusCode::OK || !kind.starts_with("application/grpc") {
        let kind = if kind.is_empty() {
            "no content type".into()
        } else {
            kind.escape_debug().to_string()
        };
        return Err(probe.failed(format_args!(
            "the answer is not gRPC's: {}, {kind}",
            answer.status
        )));
    }
    let header = |name| {
        answer
            .trailers
            .get(name)
            .or_else(|| answer.headers.get(name))
            .and_then(|v| v.to_str().ok())
    };
    match header("grpc-status") {
        Some("0") => {}
        Some(code) => {
            let message = header("grpc-message")
                .map(percent_decoded)
                .unwrap_or_default();
            let message = message
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(300)
                .collect::<String>();
            let about = if message.is_empty() {
                String::new()
            } else {
                format!(": {message}")
            };
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
