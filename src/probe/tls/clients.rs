//! The TLS clients of a configuration: one for each set of settings that its services have.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, Error, RootCertStore};

use super::TlsError;
use super::verify::{AnyCertificate, FILE_MAX, trusted};
use crate::os::cause::cause_text;
use crate::os::reading::read_regular;
use crate::probe::ProbeSettings;
use crate::probe::effective::{ServiceSettings, TlsSettings};

/// One client.
pub(in crate::probe) struct TlsClient {
    pub(super) connector: TlsConnector,
    /// The same for HTTP/2, which servers want to be agreed on in the handshake (RFC 9113 section 3.2).
    pub(super) h2: TlsConnector,
}

/// All clients.
pub(in crate::probe) struct TlsClients {
    /// By the key of the most exact entry of `services`.
    own: HashMap<String, Arc<TlsClient>>,
    /// Of services without an entry.
    global: Arc<TlsClient>,
}

impl TlsClients {
    pub(in crate::probe) fn new(settings: &ProbeSettings) -> Result<Self, TlsError> {
        // Now and not with the first probe: certificates that cannot be read are told when the daemon starts.
        let mut made = Vec::new();
        let global = client(&mut made, settings.global().tls())?;
        let mut own = HashMap::new();
        for key in settings.services.keys() {
            let client = client(&mut made, settings.service(key).tls())?;
            own.insert(key.clone(), client);
        }

        Ok(Self { own, global })
    }

    pub(super) fn of(&self, service: ServiceSettings<'_>) -> &TlsClient {
        let own = service.key().and_then(|key| self.own.get(key));
        own.unwrap_or(&self.global)
    }
}

impl ProbeSettings {
    /// Why the probes of a service, or of those without an entry, cannot speak TLS as they should, if so.
    #[must_use]
    pub(crate) fn tls_fault(&self, service: Option<&str>) -> Option<TlsError> {
        let service = match service {
            Some(name) => self.service(name),
            None => self.global(),
        };
        client_config(service.tls()).err()
    }
}

/// The client of some settings; a new one where there is none yet.
fn client<'a>(
    made: &mut Vec<(TlsSettings<'a>, Arc<TlsClient>)>,
    settings: TlsSettings<'a>,
) -> Result<Arc<TlsClient>, TlsError> {
    // Each holds a copy of all authorities that it trusts, and most services have the same settings.
    let known = made.iter().find(|(known, _)| *known == settings);
    if let Some((_, client)) = known {
        return Ok(Arc::clone(client));
    }

    let client = Arc::new(TlsClient::new(settings)?);
    made.push((settings, Arc::clone(&client)));
    Ok(client)
}

impl TlsClient {
    fn new(settings: TlsSettings<'_>) -> Result<Self, TlsError> {
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

fn client_config(settings: TlsSettings<'_>) -> Result<ClientConfig, TlsError> {
    let builder = verifying(settings)?;
    let Some((certificate, key)) = files(settings)? else {
        return Ok(builder.with_no_client_auth());
    };

    builder
        .with_client_auth_cert(chain(certificate)?, private_key(key)?)
        .map_err(|e| unfit(certificate, key, e))
}

/// What the library refuses names neither file.
fn unfit(certificate: &Path, key: &Path, error: Error) -> TlsError {
    // Told apart, as rustls's own words leave open which of the two files is meant.
    match error {
        Error::InconsistentKeys(_) => {
            let cause = format!("its key is not the one in {}", key.display());
            of_file(certificate, &cause)
        }
        error => of_file(certificate, &error),
    }
}

/// A configuration that knows which servers to trust, and not yet what to show them.
type VerifyingBuilder = ConfigBuilder<ClientConfig, WantsClientCert>;

fn verifying(settings: TlsSettings<'_>) -> Result<VerifyingBuilder, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    if settings.verify {
        return Ok(builder.with_root_certificates(roots(settings)?));
    }

    let any = Arc::new(AnyCertificate);
    Ok(builder.dangerous().with_custom_certificate_verifier(any))
}

fn roots(settings: TlsSettings<'_>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    // All of them parse: `trusted` gives no others.
    roots.add_parsable_certificates(trusted(settings.ca_file)?);
    Ok(roots)
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(file)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        // A file with a key and nothing else is no error of PEM.
        Ok(none) if none.is_empty() => Err(of_file(file, &"there is no certificate in it")),
        Ok(chain) => Ok(chain),
        Err(e) => Err(of_file(file, &e)),
    }
}

fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(file)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|e| of_file(file, &e))
}

/// The files of a client's certificate and of its key, which go together.
pub(in crate::probe) fn files<'a>(
    settings: TlsSettings<'a>,
) -> Result<Option<(&'a Path, &'a Path)>, TlsError> {
    match (settings.cert_file, settings.key_file) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        (Some(file), None) => Err(of_file(file, &"it has no key_file beside it")),
        (None, Some(file)) => Err(of_file(file, &"it has no cert_file beside it")),
    }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    read_regular(file, FILE_MAX).map_err(|e| of_file(file, &e))
}

fn of_file(file: &Path, cause: &dyn std::fmt::Display) -> TlsError {
    TlsError::ClientCertificate {
        file: file.to_owned(),
        cause: cause_text(cause),
    }
}
