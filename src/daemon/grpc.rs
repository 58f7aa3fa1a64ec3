//! gRPC's health protocol (health.proto), for balancers that check by it: AWS, Envoy, Kubernetes.
//!
//! `service` is what an agent would send: a service or an instance (the spool alone), a check such as
//! `http/web/8080/health`, or nothing for the host. SERVING is an answer that passes.
//!
//! Rule: what is not asked as gRPC asks gets an answer of HTTP; all others get a status of gRPC.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode, Version};

use super::poll::Poll;
use super::poll::decide::Verdict;
use super::poll::named::{NAME_MAX, Named};
use super::state::DaemonState;
use crate::http::grpc::{
    self, CHECK, Code, HealthCheckRequest, HealthCheckResponse, SERVICE, ServingStatus,
};
use crate::http::reply::{self, Reply};
use crate::ledger::Face;
use crate::os::logging::Seldom;
use crate::probe::Outcome;

/// Most bytes of a request: the longest name, and what stands around it.
const REQUEST_MAX: usize = NAME_MAX + 64;

/// What a gRPC request is sent as; a subtype may follow.
const GRPC: &[u8] = b"application/grpc";

/// How often names that name nothing are logged.
static UNKNOWN: Seldom = Seldom::new();

/// Whether a request is for gRPC.
pub(super) fn is_call(request: &Request<Incoming>) -> bool {
    request.uri().path().starts_with(SERVICE) || is_grpc(request)
}

fn is_grpc(request: &Request<Incoming>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(GRPC))
}

pub(super) async fn answer(
    state: &Arc<DaemonState>,
    request: Request<Incoming>,
    from: IpAddr,
    arrived: Instant,
) -> Reply {
    if let Some(refused) = refused(&request) {
        return refused;
    }

    // `Watch` is one of them: it would hold a connection for as long as the balancer lives.
    if request.uri().path() != CHECK {
        let text = "only /grpc.health.v1.Health/Check is answered";
        return reply::grpc_status(Code::Unimplemented, text);
    }

    match service_in_time(state, request).await {
        Ok(name) => check(state, &name, from, arrived).await,
        Err(refused) => refused,
    }
}

/// The service that a request names; else the answer.
async fn service_in_time(state: &DaemonState, request: Request<Incoming>) -> Result<String, Reply> {
    let limit = state.live().config.http.header_timeout;
    let (code, text) = match tokio::time::timeout(limit, service(request)).await {
        Ok(Some(name)) => return Ok(name),
        Ok(None) => (Code::InvalidArgument, "this is no HealthCheckRequest"),
        Err(_) => (Code::DeadlineExceeded, "the request did not come in time"),
    };
    Err(reply::grpc_status(code, text))
}

/// The answer to what cannot be gRPC.
fn refused(request: &Request<Incoming>) -> Option<Reply> {
    // Whoever does not speak gRPC could not read a status of gRPC.
    if request.version() != Version::HTTP_2 {
        return Some(reply::needs_http2("gRPC needs HTTP/2\n"));
    }

    if request.method() != Method::POST {
        return Some(reply::method_not_allowed("POST"));
    }

    if !is_grpc(request) {
        let text = "gRPC is sent as application/grpc\n";
        return Some(reply::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }

    None
}

/// The service that a request names.
async fn service(request: Request<Incoming>) -> Option<String> {
    let body = Limited::new(request.into_body(), REQUEST_MAX);
    let frame: Bytes = body.collect().await.ok()?.to_bytes();
    grpc::unframed::<HealthCheckRequest>(&frame).map(|request| request.service)
}

async fn check(state: &DaemonState, name: &str, from: IpAddr, arrived: Instant) -> Reply {
    let named = Named::parse(name);
    let asked = named.as_ref().map(Named::check);
    let (path, headers) = match asked {
        Ok(Ok(asked)) => asked,
        Ok(Err(e)) => return unknown(name, from, &e.to_string()),
        Err(e) => return unknown(name, from, &e.to_string()),
    };

    let live = state.live();
    let mut poll = Poll::new(Face::GrpcHealth, from, &path, &headers, &live, arrived);
    let verdict = poll.decide(state, &live).await;
    poll.answered(state, &verdict, 0);
    said(&verdict)
}

fn unknown(name: &str, from: IpAddr, why: &str) -> Reply {
    // A mistake in the balancer's configuration repeats with each check.
    if let Some(times) = UNKNOWN.now() {
        log::warn!("gRPC health check of {from} for {name:?}: {why}{times}");
    }

    reply::grpc_status(Code::NotFound, why)
}

fn said(verdict: &Verdict) -> Reply {
    match verdict.outcome().and_then(refusal) {
        Some(refused) => refused,
        None => serving(verdict.passes()),
    }
}

/// The status for what hacheck itself refuses; a service may answer the same codes.
fn refusal(outcome: &Outcome) -> Option<Reply> {
    let code = match outcome.status {
        StatusCode::FORBIDDEN if outcome.ours => Code::PermissionDenied,
        StatusCode::BAD_REQUEST if outcome.ours => Code::NotFound,
        _ => return None,
    };

    let body = String::from_utf8_lossy(&outcome.body);
    Some(reply::grpc_status(code, &body))
}

fn serving(passes: bool) -> Reply {
    let status = match passes {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    };

    let response = HealthCheckResponse {
        status: status.into(),
    };
    reply::grpc(grpc::framed(&response))
}
