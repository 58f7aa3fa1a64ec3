//! Connections of probes.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::connection::Connection;
use super::{Outcome, Probe};
use crate::cause::cause_text;

/// Connects to the target: by the unix socket that the configuration has for it, else by TCP, where every address of a
/// name is tried within the deadline, each with its share of what is left.
pub(super) async fn connect(probe: &Probe<'_>) -> Result<Connection, Outcome> {
    if let Some(path) = probe.context.socket(probe.target) {
        probe.trace.stage("connecting");
        let stream = UnixStream::connect(path).await;
        let stream = stream.map_err(|e| probe.failed(format_args!("{}: {}", path.display(), cause_text(e))))?;
        probe.trace.note(|| format!("connected to {}", path.display()));
        return Ok(Connection::Unix(stream));
    }
    probe.trace.stage("looking up the host");
    let end = Instant::now() + probe.limit();
    let addresses = probe.context.addresses(probe.target).await?;
    probe.trace.stage("connecting");
    let mut last = None;
    for (i, address) in addresses.iter().enumerate() {
        let share = addresses.len() - i;
        let left = end.saturating_duration_since(Instant::now());
        match connect_one(*address, (share > 1).then(|| left / u32::try_from(share).unwrap_or(u32::MAX))).await {
            Ok(stream) => {
                probe.trace.note(|| format!("connected to {address}"));
                return Ok(Connection::Tcp(stream));
            }
            Err(e) => {
                probe.trace.note(|| format!("{address}: {}", cause_text(&e)));
                last = Some(e);
            }
        }
    }
    Err(probe.failed(last.map_or_else(|| "the host has no address".into(), cause_text)))
}

/// Connects to one address; without a limit the probe's deadline ends it.
async fn connect_one(address: SocketAddr, limit: Option<Duration>) -> io::Result<TcpStream> {
    let connecting = TcpStream::connect(address);
    let stream = match limit {
        None => connecting.await?,
        Some(limit) => tokio::time::timeout(limit, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What carries bytes: TCP, or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
