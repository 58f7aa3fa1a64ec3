//! TLS towards pollers: rustls' defaults, with HTTP/2 or HTTP/1 as the poller prefers.
//!
//! Rule: a client's certificate is asked for where there are authorities for it, and never demanded; one that they did not
//! sign ends the handshake.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{WantsServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use webpki::EndEntityCert;

use super::connections::OpenConnection;
use crate::os::cause::cause_text;
use crate::os::reading::{FileError, read_regular};

/// Most bytes of a file with certificates or a key.
const FILE_MAX: u64 = 1 << 20;

/// Where Debian, and most others, keep the certificates to trust.
pub(crate) const SYSTEM_CAS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Where certificates and the key are, as the settings have them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TlsFiles<'a> {
    /// The certificate, and those between it and its authority.
    pub(crate) certificate: &'a Path,
    pub(crate) key: &'a Path,
    /// The authorities of clients' certificates.
    pub(crate) client_authorities: Option<&'a Path>,
}

type ConfigBuilder = rustls::ConfigBuilder<ServerConfig, WantsServerCert>;

/// What listeners with TLS need. A connection keeps that with which it began.
pub(crate) struct TlsServer(TlsAcceptor);

/// The names in a client's certificate, which was verified: its subject alternative names of DNS and URI.
#[derive(Clone)]
pub(crate) struct ClientCertificate(Arc<[String]>);

impl ClientCertificate {
    /// The first of these names that is one of the certificate's.
    pub(crate) fn name_among<'a>(&self, names: &'a [String]) -> Option<&'a str> {
        let mut names = names.iter();
        let found = names.find(|name| self.0.contains(name))?;
        Some(found)
    }
}

impl TlsServer {
    /// Reads the files.
    ///
    /// # Errors
    /// Which of them cannot be used, and why.
    pub(crate) fn load(files: &TlsFiles<'_>, http2: bool) -> Result<Self, TlsServerError> {
        let of_certificate = fault("tls_cert_file", files.certificate);
        let of_key = fault("tls_key_file", files.key);
        let chain = certificates(files.certificate).map_err(of_certificate)?;
        let key = key(files.key).map_err(&of_key)?;
        let mut config = match builder(files)?.with_single_cert(chain, key) {
            Ok(config) => config,
            // Mostly it is the key of another certificate.
            Err(e) => return Err(of_key(TlsFault::Library(e))),
        };

        config.alpn_protocols = protocols(http2);
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Makes errors about the file of a setting.
fn fault(setting: &'static str, file: &Path) -> impl Fn(TlsFault) -> TlsServerError {
    let file = file.to_owned();
    move |fault| TlsServerError {
        setting,
        file: file.clone(),
        fault,
    }
}

/// The protocols that are offered within TLS (RFC 7301), the preferred one first.
fn protocols(http2: bool) -> Vec<Vec<u8>> {
    match http2 {
        true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        false => vec![b"http/1.1".to_vec()],
    }
}

/// A configuration of rustls that waits for certificate and key.
fn builder(files: &TlsFiles<'_>) -> Result<ConfigBuilder, TlsServerError> {
    // Explicit, because rustls panics if it has to choose a provider and cannot.
    let provider = Arc::new(ring::default_provider());
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsFault::Library)
        .map_err(fault("tls_cert_file", files.certificate))?;
    let Some(file) = files.client_authorities else {
        return Ok(versions.with_no_client_auth());
    };

    let verifier = verifier(file, provider).map_err(fault("tls_client_ca_file", file))?;
    Ok(versions.with_client_cert_verifier(verifier))
}

/// Shakes hands with a poller. What went wrong is counted and logged; there is nobody else to tell.
pub(super) async fn shake_hands<S>(
    server: &TlsServer,
    stream: S,
    open: &OpenConnection,
) -> Option<(TlsStream<S>, Option<ClientCertificate>)>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match server.0.accept(stream).await {
        Ok(stream) => {
            let certificate = client_certificate(&stream);
            Some((stream, certificate))
        }
        Err(e) => {
            open.failed_handshake(&e);
            None
        }
    }
}

fn client_certificate<S>(stream: &TlsStream<S>) -> Option<ClientCertificate> {
    let (_, session) = stream.get_ref();
    // The first certificate is the client's own, the others are of its authorities.
    let certificate = session.peer_certificates()?.first()?;
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    let names = certificate.valid_dns_names();
    let names = names.chain(certificate.valid_uri_names());
    Some(ClientCertificate(names.map(str::to_owned).collect()))
}

/// The certificates in a PEM file, at least one.
///
/// # Errors
/// Why there is none.
pub(crate) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let text = read_regular(file, FILE_MAX).map_err(TlsFault::Read)?;
    let mut all = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        all.push(certificate.map_err(TlsFault::Pem)?);
    }

    // A file of something else, such as a key alone, is no error to the library.
    match all.is_empty() {
        true => Err(TlsFault::Pem(pem::Error::NoItemsFound)),
        false => Ok(all),
    }
}

/// The private key in a PEM file.
///
/// # Errors
/// Why there is none.
pub(crate) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let text = read_regular(file, FILE_MAX).map_err(TlsFault::Read)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(TlsFault::Pem)
}

fn verifier(
    file: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsFault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(TlsFault::Library)?;
    }

    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        // Balancers without a certificate may still check; only changes of the spool require one.
        .allow_unauthenticated()
        .build();
    // The only errors are an empty list, refused above, and bad revocation lists, which are not used.
    verifier.map_err(|_| TlsFault::Pem(pem::Error::NoItemsFound))
}

/// Why a file for TLS cannot be used.
#[derive(Debug)]
pub struct TlsServerError {
    setting: &'static str,
    file: PathBuf,
    fault: TlsFault,
}

/// What is wrong with a file.
#[derive(Debug)]
pub(crate) enum TlsFault {
    Read(FileError),
    Pem(pem::Error),
    Library(rustls::Error),
}

impl fmt::Display for TlsFault {
    /// The cause, for the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(e) => e.fmt(f),
            Self::Pem(pem::Error::NoItemsFound) => f.write_str("there is none in it"),
            Self::Pem(e) => f.write_str(&cause_text(e)),
            Self::Library(e) => f.write_str(&cause_text(e)),
        }
    }
}

impl TlsServerError {
    /// The setting that names the file.
    pub(crate) fn setting(&self) -> &'static str {
        self.setting
    }

    /// What is wrong, without the setting.
    pub(crate) fn text(&self) -> String {
        let what = match self.setting {
            "tls_key_file" => {
                "the private key, without a passphrase, of the certificate in tls_cert_file"
            }
            _ => "certificates in PEM form",
        };

        let (file, fault) = (self.file.display(), &self.fault);
        format!("cannot use {file}: {fault}; it must hold {what}, and be readable by hacheck")
    }
}

impl fmt::Display for TlsServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.text())
    }
}

impl std::error::Error for TlsServerError {}
