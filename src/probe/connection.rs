//! A connection to a target, by TCP or by a unix socket: the same for all protocols.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::services::ProxyProtocol;
use super::{Outcome, Probe};
pub(super) use crate::http::any_stream::ByteStream;
use crate::os::cause::cause_text;

#[derive(Debug)]
pub(super) enum Connection {
    /// To an address.
    Tcp(TcpStream),
    /// To a socket in the file system.
    Unix(UnixStream),
}

impl Connection {
    /// Connects to the target: by the unix socket that the settings have for it, else by TCP.
    pub(super) async fn open(probe: &Probe<'_>) -> Result<Self, Outcome> {
        let mut connection = match probe.context.socket(probe.target)? {
            Some(path) => connect_unix(probe, path).await?,
            None => connect_tcp(probe).await?,
        };

        if let Some(version) = probe.service().proxy_protocol() {
            // Before anything else: TLS begins behind it.
            let sent = connection.send_proxy_header(version).await;
            sent.map_err(|e| probe.failed(cause_text(e)))?;
        }

        Ok(connection)
    }

    async fn send_proxy_header(&mut self, version: ProxyProtocol) -> io::Result<()> {
        let header = self.proxy_header(version);
        self.write_all(&header).await
    }

    /// The header of the PROXY protocol for a connection of our own (HAProxy's doc/proxy-protocol.txt, section 2).
    fn proxy_header(&self, version: ProxyProtocol) -> Vec<u8> {
        match (version, self.addresses()) {
            // Version 2, LOCAL, without addresses.
            (ProxyProtocol::V2, _) => b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(),
            (ProxyProtocol::V1, Some((own, peer))) => proxy_line(own, peer).into_bytes(),
            (ProxyProtocol::V1, None) => b"PROXY UNKNOWN\r\n".to_vec(),
        }
    }

    /// Our address and the peer's.
    fn addresses(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::Tcp(s) => Some((s.local_addr().ok()?, s.peer_addr().ok()?)),
            Self::Unix(_) => None,
        }
    }

    /// Whether nothing of it leaves this host, so that nobody on the network can listen.
    pub(super) fn stays_here(&self) -> bool {
        match self {
            Self::Tcp(s) => s.peer_addr().is_ok_and(|a| a.ip().is_loopback()),
            Self::Unix(_) => true,
        }
    }

    /// What carries the bytes.
    fn carrier(self: Pin<&mut Self>) -> Pin<&mut dyn ByteStream> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream),
            Self::Unix(stream) => Pin::new(stream),
        }
    }
}

/// Version 1, for people to read.
fn proxy_line(own: SocketAddr, peer: SocketAddr) -> String {
    let family = if own.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (own.ip(), peer.ip());
    let (from_port, to_port) = (own.port(), peer.port());
    format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n")
}

async fn connect_unix(probe: &Probe<'_>, path: &Path) -> Result<Connection, Outcome> {
    probe.trace.stage("connecting");
    let shown = path.display();
    match UnixStream::connect(path).await {
        Ok(stream) => {
            probe.trace.note(|| format!("connected to {shown}"));
            Ok(Connection::Unix(stream))
        }
        Err(e) => Err(probe.failed(format_args!("{shown}: {}", cause_text(e)))),
    }
}

/// Tries every address of the host within the deadline, each with its share of what is left.
async fn connect_tcp(probe: &Probe<'_>) -> Result<Connection, Outcome> {
    probe.trace.stage("looking up the host");
    let addresses = probe.addresses().await?;
    probe.trace.stage("connecting");
    connect_to_one_of(probe, &addresses).await
}

async fn connect_to_one_of(
    probe: &Probe<'_>,
    addresses: &[SocketAddr],
) -> Result<Connection, Outcome> {
    let mut failure = None;
    for (i, address) in addresses.iter().enumerate() {
        // One that is silent must leave time for the others.
        let limit = share(probe.deadline, addresses.len() - i);
        let connected = connect_within(limit, *address).await;
        note_attempt(probe, *address, &connected);
        match connected {
            Ok(stream) => return Ok(Connection::Tcp(stream)),
            Err(e) => failure = Some(telling(failure, e)),
        }
    }

    Err(match failure {
        Some(e) => probe.failed(cause_text(e)),
        None => probe.failed("the host has no address"),
    })
}

fn note_attempt(probe: &Probe<'_>, address: SocketAddr, connected: &io::Result<TcpStream>) {
    probe.trace.note(|| match connected {
        Ok(_) => format!("connected to {address}"),
        Err(e) => format!("{address}: {}", cause_text(e)),
    });
}

/// The failure that tells more: not that this host has no IPv6, where something else is wrong over IPv4.
fn telling(earlier: Option<io::Error>, later: io::Error) -> io::Error {
    use io::ErrorKind::{AddrNotAvailable, NetworkUnreachable};
    match earlier {
        Some(earlier) if matches!(later.kind(), AddrNotAvailable | NetworkUnreachable) => earlier,
        _ => later,
    }
}

/// How long one of so many addresses may take. The last one has all that is left, until the probe's deadline ends it.
fn share(deadline: Instant, to_come: usize) -> Option<Duration> {
    let to_come = u32::try_from(to_come).unwrap_or(u32::MAX);
    // The last one has all that is left: the probe's own deadline ends it.
    match to_come {
        0 | 1 => None,
        _ => Some(deadline.saturating_duration_since(Instant::now()) / to_come),
    }
}

async fn connect_within(limit: Option<Duration>, address: SocketAddr) -> io::Result<TcpStream> {
    match limit {
        None => connect_to(address).await,
        Some(limit) => timeout(limit, connect_to(address))
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?,
    }
}

async fn connect_to(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Where nobody listens on a port that the kernel gives to clients, a connection may meet itself (RFC 9293 section
    // 3.5, simultaneous open).
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }

    // Questions are short and complete, so there is nothing to wait for.
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.carrier().poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.carrier().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carrier().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.carrier().poll_shutdown(cx)
    }
}
