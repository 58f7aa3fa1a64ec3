//! HTTP towards pollers: from an accepted connection to its requests. By HTTP/1 they come one after the other, by HTTP/2
//! several at once.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::Request;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncWrite};

use super::accept::{Accepted, ConnectionHandler};
use super::any_stream::AnyStream;
use super::connections::OpenConnection;
use super::foreign::Foreign;
use super::proxy::{self, Beginning, Begun, Rewound};
use super::reply::Reply;
use super::requests::Requests;
use super::tls::TlsServer;
use super::write_timeout::WriteTimeout;

/// Answers requests; cloned for each connection.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    /// Whether an address may ask; decided before anything is read.
    fn admits(&self, _poller: IpAddr) -> bool {
        true
    }

    /// Whether a connection from this address may begin with a header of the PROXY protocol.
    fn takes_proxy_header(&self, _peer: IpAddr) -> bool {
        false
    }

    /// What a listener with TLS needs, where there is one.
    fn tls(&self) -> Option<Arc<TlsServer>> {
        None
    }

    /// Answers one request of a poller.
    fn handle(
        &self,
        request: Box<Request<Incoming>>,
        poller: SocketAddr,
        arrived: Instant,
    ) -> impl Future<Output = Reply> + Send;
}

/// Serves a listener by HTTP.
#[derive(Clone)]
pub(crate) struct Http<H> {
    handler: H,
    has_tls: bool,
}

impl<H> Http<H> {
    /// In clear text.
    pub(crate) fn new(handler: H) -> Self {
        Self {
            handler,
            has_tls: false,
        }
    }

    /// Within TLS.
    pub(crate) fn with_tls(handler: H) -> Self {
        Self {
            handler,
            has_tls: true,
        }
    }
}

impl<S, H> ConnectionHandler<S> for Http<H>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    fn admits(&self, peer: IpAddr) -> bool {
        self.handler.admits(peer)
    }

    async fn serve(self, accepted: Accepted<S>) {
        let open = Arc::clone(&accepted.open);
        let limit = open.settings().write_timeout;
        // Below TLS: there a write that waits means that the peer does not read.
        let accepted = accepted.through(|s| WriteTimeout::new(s, limit, Arc::clone(&open)));
        // From here on streams are of one type, so that hyper's server is compiled once for all of them.
        let accepted = accepted.through(AnyStream::new);
        let serving = async {
            match self.takes_header(accepted.peer) {
                false => self.converse(accepted, Requests::new).await,
                // Boxed, so that it takes no part in the memory of each connection.
                true => Box::pin(self.serve_behind_proxy(accepted)).await,
            }
        };
        tokio::select! {
            // In this order, as `overdue` requires: a request that has arrived is noticed before the timeout.
            biased;
            () = serving => {}
            () = open.overdue() => {}
        }
    }
}

impl<H: Handler> Http<H> {
    /// Whether the connection may begin with a header of the PROXY protocol. One by a unix socket, which has no port,
    /// stands for nobody.
    fn takes_header(&self, peer: SocketAddr) -> bool {
        peer.port() != 0 && self.handler.takes_proxy_header(peer.ip().to_canonical())
    }

    /// Serves a connection that may tell for whom it was made.
    async fn serve_behind_proxy(self, mut accepted: Accepted<AnyStream>) {
        // Who hangs up in the middle of it has nothing to be told.
        let Ok(begun) = proxy::read_header(&mut accepted.stream).await else {
            return;
        };
        let Begun { beginning, rest } = begun;
        let source = match beginning {
            // Where a broken header ends is unknown, so nothing behind it is taken for a request.
            Beginning::Broken => return accepted.open.is_foreign(Foreign::Proxy),
            Beginning::Wanting | Beginning::NoHeader | Beginning::Header(None, _) => None,
            Beginning::Header(source, _) => source,
        };
        let accepted = accepted.through(|stream| AnyStream::new(Rewound::new(rest, stream)));
        match source {
            Some(source) => self.converse_for(source, accepted).await,
            None => self.converse(accepted, Requests::new).await,
        }
    }

    /// Serves a connection that a proxy made for another address.
    async fn converse_for(self, source: SocketAddr, accepted: Accepted<AnyStream>) {
        // The proxy's own address was admitted at accept; its client must be admitted too.
        if !self.handler.admits(source.ip().to_canonical()) {
            return accepted.open.turn_away();
        }
        let accepted = Accepted {
            peer: source,
            ..accepted
        };
        self.converse(accepted, Requests::proxied).await;
    }

    /// Serves a connection of a known poller.
    async fn converse(self, accepted: Accepted<AnyStream>, new: NewRequests<H>) {
        let Accepted {
            stream,
            peer,
            open,
            stop,
        } = accepted;
        let requests = new(self.handler, peer, &open);
        let unread = requests.unread.clone();
        let serving = async {
            match self.has_tls {
                false => requests.serve(stream, stop).await,
                // Boxed as above.
                true => Box::pin(requests.serve_tls(stream, stop)).await,
            }
        };
        tokio::select! {
            biased;
            () = serving => {}
            () = unread.elapsed() => {}
        }
    }
}

/// Makes the requests of a connection.
type NewRequests<H> = fn(H, SocketAddr, &Arc<OpenConnection>) -> Requests<H>;
