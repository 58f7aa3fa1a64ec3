//! Whom a service's probes log in as: its own account, or the global one of the protocol.

use super::ServiceSettings;
use crate::probe::services::{OrOff, ServiceLogin};
use crate::settings::Secret;

/// The account that a protocol's global settings name.
#[derive(Clone, Copy, Default)]
pub(crate) struct Account<'a> {
    pub username: Option<&'a str>,
    pub password: Option<&'a Secret>,
    /// What messages call the password.
    pub setting: &'static str,
}

/// Whom to log in as.
#[derive(Clone, Copy, Default)]
pub(crate) struct Credentials<'a> {
    pub username: Option<&'a str>,
    pub password: Option<&'a Secret>,
    /// What messages call the password, if there is one.
    pub setting: Option<&'static str>,
    /// It is an account of `services`, at least in part.
    pub is_own: bool,
}

impl Credentials<'_> {
    /// Whether there is anybody to log in as.
    pub(crate) fn is_some(&self) -> bool {
        self.username.is_some() || self.password.is_some()
    }
}

impl<'a> ServiceSettings<'a> {
    /// The account of a protocol's checks: of the entries, and then of the global settings.
    pub(crate) fn credentials(self, global: Account<'a>) -> Credentials<'a> {
        let (logins, goes_on) = self.parts(|entry| entry.login.as_ref());
        // `login: off` in an entry keeps the global account from its services.
        let global = if goes_on { global } else { Account::default() };
        // Each by itself: an entry may give a service its own password for the user of all.
        let own = logins.iter().find_map(|login| login.password.as_ref());
        let username = logins.iter().find_map(|login| login.username.as_deref());
        let setting = match own {
            Some(_) => Some("a password of services"),
            None => global.password.map(|_| global.setting),
        };

        Credentials {
            username: username.or(global.username),
            password: own.or(global.password),
            setting,
            is_own: !logins.is_empty(),
        }
    }

    /// The database that PostgreSQL probes name.
    pub(crate) fn database(self) -> &'a str {
        let (logins, _) = self.parts(|entry| entry.login.as_ref());
        let own = logins.iter().find_map(|login| login.database.as_deref());
        own.unwrap_or(&self.global.postgres_database)
    }

    /// The login of the entries alone: which global one counts depends on the protocol.
    pub(super) fn merged_login(self) -> Option<OrOff<ServiceLogin>> {
        let (logins, goes_on) = self.parts(|entry| entry.login.as_ref());
        if logins.is_empty() {
            return (!goes_on).then_some(OrOff::Off);
        }

        Some(OrOff::On(ServiceLogin {
            username: logins.iter().find_map(|login| login.username.clone()),
            password: logins.iter().find_map(|login| login.password.clone()),
            database: logins.iter().find_map(|login| login.database.clone()),
        }))
    }
}
