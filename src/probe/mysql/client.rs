//! What the probes of one configuration share: the account, its TLS, and the threads.

use mysql_async::{Opts, OptsBuilder, SslOpts};

use super::threads::Threads;
use super::wants_tls::WantsTls;
use crate::probe::Settings;
use crate::probe::tls::{self, TlsError};
use crate::settings::Secret;

/// Longest packet that is read after the login, in bytes: a replica's status with long sets of GTIDs.
const PACKET_MAX: usize = 1 << 20;

/// Settings and shared means of the probes.
pub(in crate::probe) struct Client {
    /// Unset where the configuration has no credentials.
    pub(super) account: Option<Account>,
    pub(super) wants_tls: WantsTls,
    pub(super) threads: Threads,
}

/// Whom to log in as. It holds the password, so it is never printed.
#[derive(Clone)]
pub(super) struct Account {
    pub plain: Opts,
    /// Clones share one set of certificates.
    pub over_tls: Opts,
}

impl Client {
    pub(in crate::probe) fn new(settings: &Settings) -> Result<Self, TlsError> {
        Ok(Self {
            account: Account::configured(settings)?,
            wants_tls: WantsTls::default(),
            threads: Threads::new(),
        })
    }
}

impl Account {
    fn configured(settings: &Settings) -> Result<Option<Self>, TlsError> {
        match (&settings.mysql_username, &settings.mysql_password) {
            (Some(user), Some(password)) => Self::new(settings, user, password).map(Some),
            _ => Ok(None),
        }
    }

    fn new(settings: &Settings, user: &str, password: &Secret) -> Result<Self, TlsError> {
        let plain = plain_options(user, password);
        let over_tls = plain.clone().ssl_opts(tls_options(settings)?);
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

fn tls_options(settings: &Settings) -> Result<SslOpts, TlsError> {
    let options = SslOpts::default();
    if !settings.tls_verify {
        return Ok(options.with_danger_accept_invalid_certs(true));
    }
    let certificates = tls::trusted(settings)?;
    let roots = certificates.iter().map(|c| c.to_vec().into()).collect();
    Ok(options
        .with_root_certs(roots)
        // mysql_async would trust Mozilla's list too, whatever tls_ca_file says.
        .with_disable_built_in_roots(true))
}
