//! How the engine is reached: its members, what proves who they are, and what proves who we are.
//!
//! Rule: a member's certificate is always verified. Files are read when this is made, so that renewed ones count from the
//! next connection.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore};

use super::error::EngineError;
use crate::fleet::settings::{Endpoint, FleetSettings};
use crate::http::tls;
use crate::os::cause::cause_text;
use crate::os::reading::read_regular;
use crate::settings::Secret;

/// Most bytes of a password's file.
const PASSWORD_MAX: u64 = 4096;

/// How the engine is reached.
#[derive(Clone)]
pub struct Access {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) tls: Option<TlsConnector>,
    pub(super) login: Option<(String, Secret)>,
    /// How long one answer may take.
    pub(super) timeout: Duration,
}

impl Access {
    /// As the settings say, with the daemon's certificate.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn of_daemon(settings: &FleetSettings) -> Result<Self, EngineError> {
        let certificate = settings.cert_file.as_deref();
        let identity = certificate.zip(settings.key_file.as_deref());
        Self::new(settings, identity)
    }

    /// A member by a number, which may be any. There is one at least: `fleet.yml` cannot do without.
    pub(super) fn member(&self, number: usize) -> &Endpoint {
        &self.endpoints[number % self.endpoints.len()]
    }

    /// As the settings say, with a certificate and its key; with none where there is none.
    ///
    /// # Errors
    /// Which file cannot be used, and why.
    pub fn new(
        settings: &FleetSettings,
        identity: Option<(&Path, &Path)>,
    ) -> Result<Self, EngineError> {
        let is_encrypted = settings.endpoints.iter().any(|endpoint| endpoint.tls);
        let tls = match is_encrypted {
            true => Some(connector(settings.ca_file.as_deref(), identity)?),
            false => None,
        };

        Ok(Self {
            endpoints: settings.endpoints.clone(),
            tls,
            login: login(settings)?,
            timeout: settings.timeout,
        })
    }
}

fn login(settings: &FleetSettings) -> Result<Option<(String, Secret)>, EngineError> {
    let (Some(user), Some(file)) = (&settings.username, &settings.password_file) else {
        return Ok(None);
    };

    let password = password(file)?;
    Ok(Some((user.clone(), Secret::new(password))))
}

fn password(file: &Path) -> Result<String, EngineError> {
    let read = read_regular(file, PASSWORD_MAX).map_err(|e| of_file(file, e))?;
    let text = String::from_utf8(read).map_err(|_| of_file(file, "it is not UTF-8"))?;
    // Editors end a file with a line break, which is no part of the password.
    let password = text.trim_end_matches(['\r', '\n']);
    Ok(password.to_owned())
}

fn connector(
    ca_file: Option<&Path>,
    identity: Option<(&Path, &Path)>,
) -> Result<TlsConnector, EngineError> {
    let ca_file = ca_file.unwrap_or(Path::new(tls::SYSTEM_CAS));
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| of_file(ca_file, e))?
        .with_root_certificates(roots(ca_file)?);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => proving(builder, certificate, key)?,
    };

    // On the same port etcd serves its JSON gateway over HTTP/1.1, which refuses certificates that have a CN.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn proving(
    builder: ConfigBuilder<ClientConfig, WantsClientCert>,
    certificate: &Path,
    key: &Path,
) -> Result<ClientConfig, EngineError> {
    let chain = tls::certificates(certificate).map_err(|e| of_file(certificate, e))?;
    let private = tls::key(key).map_err(|e| of_file(key, e))?;
    let config = builder.with_client_auth_cert(chain, private);
    config.map_err(|e| of_file(key, e))
}

fn roots(ca_file: &Path) -> Result<RootCertStore, EngineError> {
    // Without authorities no member could be believed, and each connection would fail with less of a cause.
    let trusted = tls::certificates(ca_file).map_err(|e| of_file(ca_file, e))?;
    let mut roots = RootCertStore::empty();
    // The system's may hold old ones that rustls cannot read.
    let (added, _) = roots.add_parsable_certificates(trusted);
    if added == 0 {
        let cause = "there is no authority's certificate in it";
        return Err(of_file(ca_file, cause));
    }

    Ok(roots)
}

fn of_file(file: &Path, cause: impl std::fmt::Display) -> EngineError {
    EngineError::File {
        file: file.to_owned(),
        cause: cause_text(cause),
    }
}
