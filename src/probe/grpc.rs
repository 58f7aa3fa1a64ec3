//! `grpc` and `grpcs`: `grpc.health.v1.Health/Check` says SERVING for `?service=`, or for the server as a whole.
//!
//! By hand over HTTP/2 (gRPC over HTTP2, "Outgoing" and "Incoming"; health.proto): one request with one string, one
//! answer with one number. The status stands in the trailers, or in the headers when there is nothing else.

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;

use super::connection::Connection;
use super::{
    Checked, Outcome, Probe, Protocol, QueryError, Request, Target, login, options, settle, tls,
};
use crate::http::any_stream::AnyStream;
use crate::http::client;
use crate::http::grpc::{self, CHECK, HealthCheckRequest, HealthCheckResponse};
use crate::http::grpc_client;
use crate::http::h2::{self, H2Response, MessageRequest};

/// The row of `grpc`.
pub(super) const GRPC: Protocol = Protocol {
    name: "grpc",
    needs_slash: false,
    request: Request::Options(service),
    keyed_by_service: false,
    default_port: Some(50051),
    bare_timeout: false,
    login: login::none,
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

/// The service that the query string names; empty for the server as a whole.
fn service(query: &str) -> Result<String, QueryError> {
    let mut options = options::read(query, &["service"])?;
    match options.pop() {
        Some((_, service)) => Ok(service),
        None => Ok(String::new()),
    }
}

async fn check(probe: &Probe<'_>) -> Checked {
    let service = match service(probe.target.query()) {
        Ok(service) => service,
        Err(e) => return Err(Outcome::bad_request(format!("grpc: {e}"))),
    };

    let request = probe.or_failed(request(probe, service))?;
    let response = ask(probe, request).await?;
    judge(probe, &response)
}

async fn ask(probe: &Probe<'_>, request: MessageRequest) -> Result<H2Response, Outcome> {
    let connection = Connection::open(probe).await?;
    let stream = match is_encrypted(probe) {
        true => AnyStream::new(tls::wrap_h2(probe, connection).await?),
        // HTTP/2 without TLS, begun by its preface at once: what listens there is known (RFC 9113 section 3.3).
        false => AnyStream::new(connection),
    };
    exchange(probe, stream, request).await
}

fn is_encrypted(probe: &Probe<'_>) -> bool {
    probe.protocol.name == "grpcs"
}

fn request(probe: &Probe<'_>, service: String) -> Result<MessageRequest, hyper::http::Error> {
    let message = HealthCheckRequest { service };
    grpc_client::request(&uri(probe), grpc::framed(&message))
}

fn uri(probe: &Probe<'_>) -> String {
    let Target { host, port, .. } = probe.target;
    let scheme = if is_encrypted(probe) { "https" } else { "http" };
    format!("{scheme}://{host}:{port}{CHECK}")
}

async fn exchange(
    probe: &Probe<'_>,
    stream: AnyStream,
    request: MessageRequest,
) -> Result<H2Response, Outcome> {
    probe.trace.stage("waiting for the answer");
    h2::ask(stream, request, BODY_MAX).await.map_err(|e| {
        let cause = client::cause(&e);
        probe.failed(format_args!("the HTTP/2 exchange failed: {cause}"))
    })
}

fn judge(probe: &Probe<'_>, response: &H2Response) -> Checked {
    // In this order: a page of some other server has no status of gRPC, and should be called what it is.
    expect_grpc(probe, response)?;
    expect_success(probe, response)?;
    let answer: Option<HealthCheckResponse> = grpc::unframed(&response.body);
    judge_status(probe, answer.map(|answer| answer.status))
}

fn expect_success(probe: &Probe<'_>, response: &H2Response) -> Result<(), Outcome> {
    let ended = grpc_client::expect_success(&response.trailers, &response.headers);
    ended.map_err(|failed| probe.failed(failed))
}

/// The names stand in health.proto; `None` is no answer to the question.
fn judge_status(probe: &Probe<'_>, status: Option<i32>) -> Checked {
    // The numbers of `grpc.health.v1.HealthCheckResponse.ServingStatus`.
    let cause = match status {
        Some(1) => return Ok(Outcome::healthy("SERVING")),
        Some(0) => "UNKNOWN",
        Some(2) => "NOT_SERVING",
        Some(3) => "SERVICE_UNKNOWN",
        Some(other) => return Err(probe.failed(format_args!("unknown serving status {other}"))),
        None => "the answer is not a HealthCheckResponse",
    };
    Err(probe.failed(cause))
}

fn content_type(response: &H2Response) -> &str {
    match response.headers.get(CONTENT_TYPE) {
        Some(value) => value.to_str().unwrap_or_default(),
        None => "",
    }
}

fn expect_grpc(probe: &Probe<'_>, response: &H2Response) -> Result<(), Outcome> {
    let kind = content_type(response);
    if response.status == StatusCode::OK && kind.starts_with("application/grpc") {
        return Ok(());
    }

    Err(not_grpc(probe, response.status, kind))
}

fn not_grpc(probe: &Probe<'_>, status: StatusCode, kind: &str) -> Outcome {
    let kind = match kind {
        "" => "no content type".to_owned(),
        other => other.escape_debug().to_string(),
    };
    probe.failed(format_args!("the answer is not gRPC's: {status}, {kind}"))
}
