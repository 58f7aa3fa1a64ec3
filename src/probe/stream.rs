//! Connections of probes.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::connection::Connection;
use super::{Outcome, Probe};
use crate::os::cause::cause_text;

/// Connects to the target: by the unix socket that the configuration has for it, else by TCP, where every address of a
/// name is tried within the deadline, each with its share of what is left.
pub(super) async fn connect(probe: &Probe<'_>) -> Result<Connection, Outcome> {
    Ok(connect_saying(probe, &[]).await?.0)
}

/// [`connect`] for protocols in which we speak first: what is to be said goes out as soon as it can. Tells how many
/// bytes of it are sent.
pub(super) async fn connect_saying(
    probe: &Probe<'_>,
    first: &[u8],
) -> Result<(Connection, usize), Outcome> {
    if let Some(path) = probe.context.socket(probe.target) {
        probe.trace.stage("connecting");
        let stream = UnixStream::connect(path).await;
        let stream = stream
            .map_err(|e| probe.failed(format_args!("{}: {}", path.display(), cause_text(e))))?;
        probe
            .trace
            .note(|| format!("connected to {}", path.display()));
        return Ok((Connection::Unix(stream), 0));
    }
    probe.trace.stage("looking up the host");
    let addresses = probe.context.addresses(probe.target).await?;
    probe.trace.stage("connecting");
    let end = (addresses.len() > 1).then_some(probe.deadline);
    let mut last = None;
    for (i, address) in addresses.iter().enumerate() {
        let share = u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        // The last one has all that the probe has left.
        let limit = end
            .filter(|_| share > 1)
            .map(|end| end.saturating_duration_since(Instant::now()) / share);
        match connect_within(limit, *address, first).await {
            Ok((stream, sent)) => {
                probe.trace.note(|| format!("connected to {address}"));
                return Ok((Connection::Tcp(stream), sent));
            }
            Err(e) => {
                probe
                    .trace
                    .note(|| format!("{address}: {}", cause_text(&e)));
                last = Some(e);
            }
        }
    }
    Err(probe.failed(last.map_or_else(|| "the host has no address".into(), cause_text)))
}

/// Connects to one address; without a limit the probe's deadline ends it.
async fn connect_within(
    limit: Option<Duration>,
    address: SocketAddr,
    first: &[u8],
) -> io::Result<(TcpStream, usize)> {
    let connecting = connect_to(address, first);
    match limit {
        None => connecting.await,
        Some(limit) => tokio::time::timeout(limit, connecting)
            .await
            .map_err(|_| io::ErrorKind::TimedOut)?,
    }
}

async fn connect_to(address: SocketAddr, first: &[u8]) -> io::Result<(TcpStream, usize)> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking(),
        None,
    )?;
    if !first.is_empty() {
        // The packet that ends the handshake waits for what is said first: one packet, and the target is woken once.
        // Where that cannot be had, there are two.
        let _ = socket.set_tcp_quickack(false);
    }
    match socket.connect(&address.into()) {
        Err(e) if e.raw_os_error() != Some(Errno::EINPROGRESS as i32) => return Err(e),
        _ => {}
    }
    let mut stream = std::net::TcpStream::from(socket);
    // A handshake within this host is over by now.
    let sent = match first {
        [] => 0,
        _ => stream.write(first).or_else(|e| {
            if e.kind() == io::ErrorKind::WouldBlock {
                Ok(0)
            } else {
                Err(e)
            }
        })?,
    };
    let stream = TcpStream::from_std(stream)?;
    if sent == 0 {
        stream.writable().await?;
        stream.take_error()?.map_or(Ok(()), Err)?;
    }
    // Where nobody listens on a port that the kernel gives to clients, a connection may meet itself (RFC 9293 section
    // 3.5, simultaneous open).
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    if first.is_empty() || sent < first.len() {
        stream.set_nodelay(true)?;
    }
    Ok((stream, sent))
}

/// What carries bytes: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
