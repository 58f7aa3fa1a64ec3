//! Connections of probes.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::connection::Connection;
use super::{Outcome, Probe};
use crate::os::cause::cause_text;

/// Connects to the target: by the unix socket that the configuration has for it, else by TCP.
pub(super) async fn connect(probe: &Probe<'_>) -> Result<Connection, Outcome> {
    match probe.context.socket(probe.target) {
        Some(path) => connect_unix(probe, path).await,
        None => connect_tcp(probe).await,
    }
}

async fn connect_unix(probe: &Probe<'_>, path: &Path) -> Result<Connection, Outcome> {
    probe.trace.stage("connecting");
    let stream = UnixStream::connect(path)
        .await
        .map_err(|e| probe.failed(format_args!("{}: {}", path.display(), cause_text(e))))?;
    probe
        .trace
        .note(|| format!("connected to {}", path.display()));
    Ok(Connection::Unix(stream))
}

/// Tries every address of the host within the deadline, each with its share of what is left.
async fn connect_tcp(probe: &Probe<'_>) -> Result<Connection, Outcome> {
    probe.trace.stage("looking up the host");
    let addresses = probe.context.addresses(probe.target).await?;
    probe.trace.stage("connecting");
    let mut last = None;
    for (i, address) in addresses.iter().enumerate() {
        let to_come = addresses.len() - i;
        let limit = share(probe.deadline, to_come);
        match connect_within(limit, *address).await {
            Ok(stream) => {
                probe.trace.note(|| format!("connected to {address}"));
                return Ok(Connection::Tcp(stream));
            }
            Err(e) => {
                let cause = cause_text(e);
                probe.trace.note(|| format!("{address}: {cause}"));
                last = Some(cause);
            }
        }
    }
    Err(probe.failed(last.unwrap_or_else(|| "the host has no address".into())))
}

/// How long one of so many addresses may take. The last one has all that is left, until the probe's deadline ends it.
fn share(deadline: Instant, to_come: usize) -> Option<Duration> {
    let to_come = u32::try_from(to_come).unwrap_or(u32::MAX);
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
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What carries bytes: TCP, or TLS over it.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}
