//! What the probes of one configuration share: the account, its TLS, and the threads.

use std::collections::HashMap;

use mysql_async::{ClientIdentity, Opts, OptsBuilder, SslOpts};

use super::threads::Threads;
use super::wants_tls::WantsTls;
use crate::probe::ProbeSettings;
use crate::probe::effective::{self, Credentials, ServiceSettings, TlsSettings};
use crate::probe::tls::{self, TlsError};
use crate::settings::Secret;

/// Longest packet that is read after the login, in bytes: a replica's status with long sets of GTIDs.
const PACKET_MAX: usize = 1 << 20;

/// Settings and shared means of the probes.
pub(in crate::probe) struct Client {
    /// By the key of the most exact entry of `services`; those without credentials have none.
    own: HashMap<String, Option<MysqlAccount>>,
    /// Of services without an entry; unset where the configuration has no credentials.
    global: Option<MysqlAccount>,
    pub(super) wants_tls: WantsTls,
    pub(super) threads: Threads,
}

/// Whom to log in as. It holds the password, so it is never printed.
#[derive(Clone)]
pub(super) struct MysqlAccount {
    pub plain: Opts,
    /// Clones share one set of certificates.
    pub over_tls: Opts,
}

impl Client {
    pub(in crate::probe) fn new(settings: &ProbeSettings) -> Result<Self, TlsError> {
        let mut own = HashMap::new();
        // Now and not with the first probe: certificates that cannot be read are told when the daemon starts.
        for key in settings.services.keys() {
            let account = MysqlAccount::of(settings, settings.service(key))?;
            own.insert(key.clone(), account);
        }

        Ok(Self {
            own,
            global: MysqlAccount::of(settings, settings.global())?,
            wants_tls: WantsTls::default(),
            threads: Threads::new(),
        })
    }

    /// Whom a service's probes log in as.
    pub(super) fn account(&self, service: ServiceSettings<'_>) -> Option<&MysqlAccount> {
        let own = service.key().and_then(|key| self.own.get(key));
        own.unwrap_or(&self.global).as_ref()
    }
}

/// The user and password of a service, or the global ones.
pub(super) fn credentials<'a>(
    settings: &'a ProbeSettings,
    service: ServiceSettings<'a>,
) -> Credentials<'a> {
    service.credentials(effective::Account {
        username: settings.mysql_username.as_deref(),
        password: settings.mysql_password.as_ref(),
        setting: "mysql_password",
    })
}

impl MysqlAccount {
    fn of(
        settings: &ProbeSettings,
        service: ServiceSettings<'_>,
    ) -> Result<Option<Self>, TlsError> {
        let credentials = credentials(settings, service);
        match (credentials.username, credentials.password) {
            (Some(user), Some(password)) => Self::new(service, user, password).map(Some),
            // Half an account is none, as in the replaced tools; a check then says what is missing.
            _ => Ok(None),
        }
    }

    fn new(service: ServiceSettings<'_>, user: &str, password: &Secret) -> Result<Self, TlsError> {
        let plain = plain_options(user, password);
        let over_tls = plain.clone().ssl_opts(tls_options(service.tls())?);
        Ok(Self {
            plain: plain.into(),
            over_tls: over_tls.into(),
        })
    }
}

fn plain_options(user: &str, password: &Secret) -> OptsBuilder {
    OptsBuilder::default()
        .user(Some(user))
        .pass(Some(password.reveal()))
        // Else a login over TCP is followed by one through the socket that the server names, whatever it names.
        .prefer_socket(false)
        // With both, the server is not asked for them, so that a login sends no statement.
        .max_allowed_packet(Some(PACKET_MAX))
        .wait_timeout(Some(60))
}

fn tls_options(settings: TlsSettings<'_>) -> Result<SslOpts, TlsError> {
    let identity = tls::files(settings)?.map(|(certificate, key)| {
        ClientIdentity::new(certificate.to_owned().into(), key.to_owned().into())
    });
    let options = SslOpts::default().with_client_identity(identity);
    if !settings.verify {
        return Ok(options.with_danger_accept_invalid_certs(true));
    }

    let certificates = tls::trusted(settings.ca_file)?;
    let roots = certificates.iter().map(|c| c.to_vec().into()).collect();
    Ok(options
        .with_root_certs(roots)
        // mysql_async would trust Mozilla's list too, whatever tls_ca_file says.
        .with_disable_built_in_roots(true))
}
