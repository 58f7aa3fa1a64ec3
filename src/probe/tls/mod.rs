//! TLS towards targets. Certificates are not verified unless the configuration says so: a health check asks whether
//! the service works, and most of them sit on 127.0.0.1 behind a certificate for another name.
//!
//! With verification, a certificate that may sign others (`CA:TRUE`, as `openssl req -x509` makes by default) is refused
//! as a server's own, also where it is the one to trust.
//!
//! Servers that offer only RSA key exchange, DHE, CBC suites or TLS 1.1 cannot be talked to, and the message says so.

mod clients;
mod failure;
mod verify;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use hyper::header::HOST;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::Error;
use tokio_rustls::rustls::pki_types::{InvalidDnsNameError, ServerName};

pub(super) use self::clients::{TlsClients, files};
pub(super) use self::failure::failure_text;
pub(super) use self::verify::trusted;
use super::{Outcome, Probe};
use crate::net::Host;

/// Why probes cannot speak TLS as the settings want it.
#[derive(Debug)]
pub enum TlsError {
    /// The library refused.
    Setup(Error),
    /// The certificate that a service's probes show cannot be used.
    ClientCertificate {
        /// The file at fault.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
    /// The certificates to trust cannot be read.
    Certificates {
        /// Where they should be.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
}

impl TlsError {
    /// What is wrong, without the setting that it is about.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Setup(e) => format!("cannot set up TLS: {e}"),
            Self::ClientCertificate { file, cause } => format!(
                "cannot use {} as a client's certificate: {cause}; set cert_file and key_file to PEM files",
                file.display()
            ),
            Self::Certificates { file, cause } => format!(
                "cannot read certificates from {}: {cause}; install ca-certificates or set tls_ca_file",
                file.display()
            ),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(_) => {}
            Self::ClientCertificate { .. } => f.write_str("services: ")?,
            Self::Certificates { .. } => f.write_str("tls_verify: ")?,
        }

        f.write_str(&self.text())
    }
}

impl std::error::Error for TlsError {}

/// Shakes hands with the target. The name that is asked for, and verified, is the service's `server_name`, else the `Host`
/// that its HTTP rule sends, else the target's host name, else the poller's copied `Host`, else the address.
pub(super) async fn wrap<S>(probe: &Probe<'_>, stream: S) -> Result<TlsStream<S>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = probe.or_failed(server_name(probe))?;
    let client = probe.context.tls.of(probe.service());
    shake_hands(probe, &client.connector, name, stream).await
}

/// [`wrap`] for HTTP/1, where the service's rule may send a `Host`.
pub(super) async fn wrap_http<S>(
    probe: &Probe<'_>,
    host_of_rule: Option<&str>,
    stream: S,
) -> Result<TlsStream<S>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = probe.or_failed(http_name(probe, host_of_rule))?;
    let client = probe.context.tls.of(probe.service());
    shake_hands(probe, &client.connector, name, stream).await
}

fn http_name(
    probe: &Probe<'_>,
    host_of_rule: Option<&str>,
) -> Result<ServerName<'static>, InvalidDnsNameError> {
    match host_of_rule {
        // `server_name` is the more exact word of the two.
        Some(host) if probe.service().server_name().is_none() => parse_name(host),
        _ => server_name(probe),
    }
}

/// [`wrap`] for HTTP/2.
pub(super) async fn wrap_h2<S>(probe: &Probe<'_>, stream: S) -> Result<TlsStream<S>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = probe.or_failed(server_name(probe))?;
    let client = probe.context.tls.of(probe.service());
    shake_hands(probe, &client.h2, name, stream).await
}

async fn shake_hands<S>(
    probe: &Probe<'_>,
    connector: &TlsConnector,
    name: ServerName<'static>,
    stream: S,
) -> Result<TlsStream<S>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    probe.trace.stage("in the TLS handshake");
    // It is not always the host: a service or a rule may name another one.
    probe.trace.note(|| format!("TLS name {}", name.to_str()));
    match connector.connect(name, stream).await {
        Ok(stream) => Ok(stream),
        Err(e) => {
            let cause = failure_text(e);
            Err(probe.failed(format_args!("TLS handshake failed: {cause}")))
        }
    }
}

/// The name to ask for, and to verify.
pub(super) fn server_name(probe: &Probe<'_>) -> Result<ServerName<'static>, InvalidDnsNameError> {
    if let Some(name) = probe.service().server_name() {
        return parse_name(name);
    }

    match &probe.target.host {
        Host::Name(name) => ServerName::try_from(name.to_string()),
        Host::Address(address) => Ok(copied_name_or(*address, probe)),
        Host::Local => Ok(copied_name_or(Ipv4Addr::LOCALHOST.into(), probe)),
    }
}

fn copied_name_or(address: IpAddr, probe: &Probe<'_>) -> ServerName<'static> {
    match copied_name(probe) {
        Some(name) => name,
        None => ServerName::IpAddress(address.into()),
    }
}

/// A name as it is written, perhaps with a port.
fn parse_name(text: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    let name = without_port(text).trim_matches(['[', ']']);
    ServerName::try_from(name.to_owned())
}

/// The name in a copied `Host` header.
fn copied_name(probe: &Probe<'_>) -> Option<ServerName<'static>> {
    let header = probe.target.headers.get(&HOST)?;
    let host = without_port(header.to_str().ok()?);
    match ServerName::try_from(host.to_owned()) {
        Ok(name @ ServerName::DnsName(_)) => Some(name),
        // An address names no virtual host.
        _ => None,
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    }
}
