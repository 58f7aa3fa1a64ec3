//! TLS towards targets. Certificates are not verified unless the configuration says so: a health check asks whether
//! the service works, and most of them sit on 127.0.0.1 behind a certificate for another name.
//!
//! With verification, a certificate that may sign others (`CA:TRUE`, as `openssl req -x509` makes by default) is refused
//! as a server's own, also where it is the one to trust.
//!
//! Servers that offer only RSA key exchange, DHE, CBC suites or TLS 1.1 cannot be talked to.

mod verify;

use std::fmt;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use hyper::header::HOST;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{InvalidDnsNameError, ServerName};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};

use self::verify::AnyCertificate;
pub(super) use self::verify::trusted;
use super::{Outcome, Probe, Settings};
use crate::net::Host;
use crate::os::cause::cause_text;

/// Why probes cannot speak TLS as the settings want it.
#[derive(Debug)]
pub enum TlsError {
    /// The library refused.
    Setup(Error),
    /// The certificates to trust cannot be read.
    Certificates {
        /// Where they should be.
        file: PathBuf,
        /// Why not.
        cause: String,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(e) => write!(f, "cannot set up TLS: {e}"),
            Self::Certificates { file, cause } => write!(
                f,
                "tls_verify: cannot read certificates from {}: {cause}; install ca-certificates or set tls_ca_file",
                file.display()
            ),
        }
    }
}

impl std::error::Error for TlsError {}

/// The TLS side of all probes.
pub(super) struct TlsClient {
    connector: TlsConnector,
    /// The same for HTTP/2, which servers want to be agreed on in the handshake (RFC 9113 section 3.2).
    h2: TlsConnector,
}

impl TlsClient {
    pub(super) fn new(settings: &Settings) -> Result<Self, TlsError> {
        let client = client_config(settings)?;
        // Only HTTP/2 has a name that servers insist on.
        let mut h2 = client.clone();
        h2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            h2: TlsConnector::from(Arc::new(h2)),
        })
    }
}

fn client_config(settings: &Settings) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions();
    let builder = builder.map_err(TlsError::Setup)?;
    let builder = if settings.tls_verify {
        builder.with_root_certificates(roots(settings)?)
    } else {
        let any = Arc::new(AnyCertificate);
        builder.dangerous().with_custom_certificate_verifier(any)
    };
    Ok(builder.with_no_client_auth())
}

fn roots(settings: &Settings) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted(settings)?);
    Ok(roots)
}

/// Shakes hands with the target. The name that is asked for, and verified, is the `Host` that the service's rule sends,
/// else the target's host name, else the poller's copied `Host`, else the address.
pub(super) async fn wrap<S>(probe: &Probe<'_>, stream: S) -> Result<TlsStream<S>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    shake_hands(probe, &probe.context.tls.connector, stream).await
}

/// [`wrap`] for HTTP/2.
pub(super) async fn wrap_h2<S>(probe: &Probe<'_>, stream: S) -> Result<TlsStream<S>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    shake_hands(probe, &probe.context.tls.h2, stream).await
}

async fn shake_hands<S>(
    probe: &Probe<'_>,
    connector: &TlsConnector,
    stream: S,
) -> Result<TlsStream<S>, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    probe.trace.stage("in the TLS handshake");
    let name = server_name(probe).map_err(|e| probe.failed(e))?;
    probe.trace.note(|| format!("TLS name {}", name.to_str()));
    connector
        .connect(name, stream)
        .await
        .map_err(|e| probe.failed(format_args!("TLS handshake failed: {}", cause_text(e))))
}

/// The name to ask for, and to verify.
pub(super) fn server_name(probe: &Probe<'_>) -> Result<ServerName<'static>, InvalidDnsNameError> {
    if let Some(host) = host_of_rule(probe) {
        let name = without_port(host).trim_matches(['[', ']']);
        return ServerName::try_from(name.to_owned());
    }
    let address = match &probe.target.host {
        Host::Name(name) => return ServerName::try_from(name.to_string()),
        Host::Address(address) => *address,
        Host::Local => Ipv4Addr::LOCALHOST.into(),
    };
    match copied_name(probe) {
        Some(name) => Ok(name),
        None => Ok(ServerName::IpAddress(address.into())),
    }
}

/// The `Host` that the rule of an HTTPS check's service sends.
fn host_of_rule<'a>(probe: &Probe<'a>) -> Option<&'a str> {
    if probe.protocol.name != "https" {
        return None;
    }
    let rules = &probe.context.settings.http_rules;
    rules.get(&*probe.target.service)?.host()
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
