//! One request of the HTTP listener: a poll, a page, or a change of the spool.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};

use super::poll::route::{self, CheckPath, Route};
use super::poll::{Poll, answer};
use super::state::DaemonState;
use super::{grpc, pages, spool_change};
use crate::http::proxy::Proxied;
use crate::http::reply::{self, Reply};
use crate::http::server::Handler;
use crate::http::tls::TlsServer;
use crate::ledger::Face;

/// Answers the requests of pollers.
#[derive(Clone)]
pub struct HttpHandler(pub Arc<DaemonState>);

impl Handler for HttpHandler {
    fn admits(&self, poller: IpAddr) -> bool {
        self.0.admits(poller)
    }

    fn takes_proxy_header(&self, peer: IpAddr) -> bool {
        self.0.takes_proxy_header(peer)
    }

    fn tls(&self) -> Option<Arc<TlsServer>> {
        self.0.live().tls.clone()
    }

    async fn handle(
        &self,
        request: Box<Request<Incoming>>,
        poller: SocketAddr,
        arrived: Instant,
    ) -> Reply {
        let from = poller.ip().to_canonical();
        // Written down now, as answering consumes the request.
        let line = logged_line(&request);
        let reply = respond(&self.0, request, from, arrived).await;
        let status = reply.status().as_u16();
        let took = arrived.elapsed();
        self.0.counters.answered(status, took);
        if let Some(line) = line {
            log_request(&line, from, status, took);
        }
        reply
    }
}

/// In the form of tornado, the server of the replaced tools.
fn log_request(line: &str, from: IpAddr, status: u16, took: Duration) {
    let ms = took.as_secs_f64() * 1000.0;
    log::debug!("{status} {line} ({from}) {ms:.2}ms");
}

/// The request in the log, where it is logged.
fn logged_line(request: &Request<Incoming>) -> Option<String> {
    if !log::log_enabled!(log::Level::Debug) {
        return None;
    }
    Some(format!("{} {}", request.method(), request.uri()))
}

async fn respond(
    state: &Arc<DaemonState>,
    request: Box<Request<Incoming>>,
    from: IpAddr,
    arrived: Instant,
) -> Reply {
    // Before the routes, which know none of gRPC's paths and would refuse its POST.
    if grpc::is_call(&request) {
        return Box::pin(grpc::answer(state, *request, from, arrived)).await;
    }
    let uri = request.uri();
    let route = match route::parse(request.method(), uri.path(), uri.query()) {
        Ok(route) => route,
        Err(refusal) => return refusal.reply(),
    };

    if is_for_some(&route) && claims_this_host(&request, from) {
        return refused_claim();
    }

    match route {
        Route::Check(path) => poll(state, path, request.headers(), from, arrived).await,
        // What is rare is boxed, so that it takes no part in the memory of each connection.
        Route::SpoolChange(service, port) => {
            Box::pin(spool_change::post(state, service, port, *request, from)).await
        }
        Route::Page(page) => {
            let (request, _) = request.into_parts();
            Box::pin(pages::page(page, state, &request, from)).await
        }
        Route::Health => reply::text(StatusCode::OK, "ok\n"),
    }
}

fn refused_claim() -> Reply {
    let text = "a PROXY protocol header makes nobody a caller on this host\n";
    reply::text(StatusCode::FORBIDDEN, text)
}

async fn poll(
    state: &DaemonState,
    path: CheckPath<'_>,
    headers: &HeaderMap,
    from: IpAddr,
    arrived: Instant,
) -> Reply {
    // One configuration for the whole poll, whatever a reload puts in force meanwhile.
    let live = state.live();
    let mut poll = Poll::new(Face::Http, from, &path, headers, &live, arrived);
    let verdict = poll.decide(state, &live).await;
    let reply = answer::http(&verdict, &live.config);
    poll.answered(state, &verdict, reply.status().as_u16());
    reply::for_established(reply, poll.established)
}

/// Whether the address decides who may ask this.
fn is_for_some(route: &Route<'_>) -> bool {
    match route {
        Route::Check(_) | Route::Health => false,
        Route::SpoolChange(..) => true,
        Route::Page(page) => pages::is_for_some(*page),
    }
}

/// Whether an address of the loopback comes from a header.
fn claims_this_host(request: &Request<Incoming>, from: IpAddr) -> bool {
    from.is_loopback() && request.extensions().get::<Proxied>().is_some()
}
