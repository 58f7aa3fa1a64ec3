//! TLS towards targets. Certificates are not verified unless the configuration says so: a health check asks whether
//! the service works, and most of them sit on 127.0.0.1 behind a certificate for another name.
//!
//! With verification, a certificate that may sign others (`CA:TRUE`, as `openssl req -x509` makes by default) is refused
//! as a server's own, also where it is the one to trust.
//!
//! Servers that offer only RSA key exchange, DHE, CBC suites or TLS 1.1 cannot be talked to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::header::HOST;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

use super::{Outcome, Probe, Settings};
use crate::net::Host;
use crate::os::cause::cause_text;

/// Where Debian, and most others, keep the certificates to trust.
const SYSTEM_CAS: &str = "/etc/ssl/certs/ca-certificates.crt";

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
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?;
        let client = if settings.tls_verify {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trusted(settings)?);
            builder.with_root_certificates(roots).with_no_client_auth()
        } else {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate))
                .with_no_client_auth()
        };
        let mut h2 = client.clone();
        h2.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            connector: TlsConnector::from(Arc::new(client)),
            h2: TlsConnector::from(Arc::new(h2)),
        })
    }
}

/// The certificates to trust where certificates are verified.
pub(super) fn trusted(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let file = match &settings.tls_ca_file {
        Some(file) => file,
        None => Path::new(SYSTEM_CAS),
    };
    let fail = |cause: String| TlsError::Certificates {
        file: file.to_owned(),
        cause,
    };
    let text = std::fs::read(file).map_err(|e| fail(cause_text(e)))?;
    let mut certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|e| fail(cause_text(e)))?;
    certificates.retain(may_sign);
    if certificates.is_empty() {
        return Err(fail("there is none in it".into()));
    }
    Ok(certificates)
}

/// Old authorities may have certificates that rustls cannot read.
fn may_sign(certificate: &CertificateDer<'static>) -> bool {
    RootCertStore::empty().add(certificate.clone()).is_ok()
}

/// Shakes hands with the target. The name that is asked for, and verified, is the target's host name, else the
/// poller's copied `Host`, else the address.
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
    let handshake = connector.connect(name, stream).await;
    handshake.map_err(|e| probe.failed(format_args!("TLS handshake failed: {}", cause_text(e))))
}

/// The name to ask for, and to verify.
pub(super) fn server_name(probe: &Probe<'_>) -> Result<ServerName<'static>, String> {
    let address = match &probe.target.host {
        Host::Name(name) => {
            return ServerName::try_from(name.to_string()).map_err(|e| e.to_string());
        }
        Host::Address(a) => *a,
        Host::Local => std::net::Ipv4Addr::LOCALHOST.into(),
    };
    let copied = probe
        .target
        .headers
        .get(&HOST)
        .and_then(|h| h.to_str().ok())
        .map(without_port);
    match copied.map(|h| ServerName::try_from(h.to_owned())) {
        Some(Ok(name @ ServerName::DnsName(_))) => Ok(name),
        _ => Ok(ServerName::IpAddress(address.into())),
    }
}

fn without_port(host: &str) -> &str {
    host.rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
        .map_or(host, |(host, _)| host)
}

/// Takes any certificate and any signature by its key: expired, self-signed, too short, of another name.
#[derive(Debug)]
struct AnyCertificate;

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme as S;
        vec![
            S::ED25519,
            S::ECDSA_NISTP256_SHA256,
            S::ECDSA_NISTP384_SHA384,
            S::ECDSA_NISTP521_SHA512,
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
            S::ECDSA_SHA1_Legacy,
            S::RSA_PKCS1_SHA1,
            S::ED448,
        ]
    }
}
