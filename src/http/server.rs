//! HTTP/1 towards pollers: the requests of a connection, one after the other, until it ends or the daemon stops.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};

use super::Settings;
use super::accept::{Accepted, Service, stopped};
use super::connections::OpenConnection;
use super::foreign::Foreign;
use super::head_memory::HeadMemory;
use super::reply::{self, Reply};
use super::write_timeout::WriteTimeout;

/// The number of headers that hyper accepts by default. For this number it allocates no memory.
const DEFAULT_HEADERS: usize = 100;

/// How long a connection without a request stays open after the stop. Its first request may be on its way, and closing
/// the connection would lose it.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// Answers requests; cloned for each connection.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    /// Whether an address may ask; decided before anything is read.
    fn admits(&self, _poller: IpAddr) -> bool {
        true
    }

    /// Answers one request of a poller.
    fn handle(
        &self,
        request: Request<Incoming>,
        poller: SocketAddr,
        arrived: Instant,
    ) -> impl Future<Output = Reply> + Send;
}

/// Serves a listener by HTTP/1.
#[derive(Clone)]
pub(crate) struct Http<H>(pub(crate) H);

impl<S, H> Service<S> for Http<H>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    fn admits(&self, peer: IpAddr) -> bool {
        self.0.admits(peer)
    }

    async fn serve(self, accepted: Accepted<S>) {
        let Accepted {
            stream,
            peer,
            open,
            stop,
        } = accepted;
        let settings = open.settings();
        let stream = HeadMemory::new(stream, Arc::clone(&open));
        let stream = WriteTimeout::new(stream, settings.write_timeout, Arc::clone(&open));
        let begun = Notify::new();
        let answer = service_fn(|request| {
            begun.notify_one();
            let arrived = Instant::now();
            open.busy(arrived);
            let reply = self.0.handle(request, peer, arrived);
            let open = &open;
            async move {
                let reply = reply.await;
                open.answered();
                Ok::<_, Infallible>(reply::placed(reply, open.memory()))
            }
        });
        let builder = builder(settings);
        let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), answer));
        let ended = tokio::select! {
            biased;
            ended = serving.as_mut() => ended,
            () = open.overdue() => return,
            () = stopped_and_begun(stop, &begun) => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(e) = ended {
            log::debug!("connection of {}: {e}", peer.ip());
            note_foreign(&open, &e, peer.ip());
        }
    }
}

/// Counts a connection that ended because it is none of HTTP.
fn note_foreign(open: &OpenConnection, e: &hyper::Error, from: IpAddr) {
    match open.spoke() {
        // A fault in a request, or a request that is too large.
        None | Some(Foreign::Http) => {}
        Some(kind) if e.is_parse() => open.is_foreign(kind, from.to_canonical()),
        Some(_) => {}
    }
}

fn builder(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // OpenConnection::overdue does that.
        .header_read_timeout(None)
        .max_buf_size(settings.max_head)
        // Pollers may close their sending side and still get an answer.
        .half_close(true);
    if settings.max_headers != DEFAULT_HEADERS {
        builder.max_headers(settings.max_headers);
    }
    builder
}

/// Waits for the stop, and then for the first request, though not for long.
async fn stopped_and_begun(stop: watch::Receiver<bool>, begun: &Notify) {
    stopped(stop).await;
    // If a request came before, the permit that it left is still there.
    let _ = tokio::time::timeout(FIRST_REQUEST, begun.notified()).await;
}
