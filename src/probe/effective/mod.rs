//! What counts for one service: keys merge one by one.
//!
//! Rule: the entry of the service itself comes first, then the longest pattern that fits, then `*`, then the global
//! settings; those without an entry have the global ones.

mod login;
mod tls;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

pub(crate) use self::login::{Account, Credentials};
pub(super) use self::tls::TlsSettings;
use super::services::{OrOff, ProxyProtocol, ScriptStep, Service};
use super::{HttpRule, ProbeSettings};
use crate::names::pattern::fits;
use crate::net::LoginTo;

/// The entry for all services.
const ALL: &str = "*";

/// The settings of one service.
#[derive(Clone, Copy)]
pub(crate) struct ServiceSettings<'a> {
    global: &'a ProbeSettings,
    /// The most exact entry, and the key that it stands under.
    key: Option<&'a str>,
    /// From the most exact to the one for all.
    entries: [Option<&'a Service>; 3],
}

impl<'a> ServiceSettings<'a> {
    /// Those of services without an entry.
    pub(super) fn global(global: &'a ProbeSettings) -> Self {
        Self {
            global,
            key: None,
            entries: [None; 3],
        }
    }

    /// Those of a service; for a pattern, those of services that have it as the longest one.
    pub(super) fn of(global: &'a ProbeSettings, service: &str) -> Self {
        let services = &global.services;
        let is_pattern = service.contains('*');
        // `*` itself is the last of the three below, and must not count twice.
        let own = services.get_key_value(service).filter(|_| service != ALL);
        let pattern = match is_pattern {
            // Whether a service of one pattern has another one too depends on its name.
            true => None,
            false => longest(services, service),
        };

        let all = services.get_key_value(ALL);
        // The nearest first: what it leaves out, the next one may say.
        let found = [own, pattern, all];
        Self {
            global,
            key: found.iter().flatten().next().map(|(key, _)| key.as_str()),
            entries: found.map(|entry| entry.map(|(_, entry)| entry)),
        }
    }

    /// The key of the most exact entry: services with the same one have the same settings.
    pub(crate) fn key(self) -> Option<&'a str> {
        self.key
    }

    /// What the most exact entry says that says anything.
    fn find<T>(self, get: impl Fn(&'a Service) -> Option<T>) -> Option<T> {
        self.entries.into_iter().flatten().find_map(get)
    }

    /// The entries of a part, down to one that switches it off. The flag says whether none does.
    fn parts<T>(self, get: impl Fn(&'a Service) -> Option<&'a OrOff<T>>) -> (Vec<&'a T>, bool) {
        let mut parts = Vec::new();
        for part in self.entries.into_iter().flatten().filter_map(get) {
            match part {
                OrOff::On(part) => parts.push(part),
                OrOff::Off => return (parts, false),
            }
        }

        (parts, true)
    }

    /// The deadline of its probes.
    pub(crate) fn timeout(self) -> Duration {
        let own = self.find(|entry| entry.timeout);
        own.unwrap_or(self.global.healthcheck_timeout)
    }

    /// The unix socket that its probes connect to on this host.
    pub(crate) fn socket(self) -> Option<&'a Path> {
        self.find(|entry| entry.socket.as_deref())
    }

    /// Where its checks may log in.
    pub(crate) fn login_to(self) -> &'a [LoginTo] {
        let own = self.find(|entry| entry.login_to.as_deref());
        own.unwrap_or(&self.global.login_to)
    }

    /// The steps of its `script` checks.
    pub(crate) fn script(self) -> Option<&'a [ScriptStep]> {
        self.find(|entry| entry.script.as_deref())
    }

    /// Whether its probes begin with a header of the PROXY protocol.
    pub(crate) fn proxy_protocol(self) -> Option<ProxyProtocol> {
        self.find(|entry| entry.proxy_protocol)
    }

    /// What its HTTP upstream's answer must be like; none where any answer is passed on.
    pub(crate) fn http(self) -> Option<HttpRule> {
        self.find(|entry| entry.http.as_ref())?;
        let mut rule = HttpRule::default();
        // From the one for all to the most exact, so that what is said last counts.
        for entry in self.entries.into_iter().rev().flatten() {
            if let Some(own) = &entry.http {
                rule.replace_by(own);
            }
        }

        Some(rule)
    }

    /// All of it, merged with the global settings, as it is shown to people.
    pub(super) fn merged(self) -> Service {
        Service {
            timeout: Some(self.timeout()),
            socket: self.socket().map(Path::to_owned),
            http: self.http(),
            login: self.merged_login(),
            login_to: Some(self.login_to().to_vec()),
            tls: self.merged_tls(),
            script: self.script().map(<[_]>::to_vec),
            proxy_protocol: self.proxy_protocol(),
        }
    }
}

fn longest<'a>(
    services: &'a BTreeMap<String, Service>,
    name: &str,
) -> Option<(&'a String, &'a Service)> {
    let patterns = services
        .iter()
        .filter(|(key, _)| key.as_str() != ALL && fits(key, name));
    // Of two that are as long the first by the alphabet.
    patterns.rev().max_by_key(|(key, _)| key.len())
}

impl ProbeSettings {
    /// What counts for a service.
    #[must_use]
    pub(crate) fn service(&self, name: &str) -> ServiceSettings<'_> {
        ServiceSettings::of(self, name)
    }

    /// What counts for services without an entry.
    #[must_use]
    pub(crate) fn global(&self) -> ServiceSettings<'_> {
        ServiceSettings::global(self)
    }

    /// The deadline of a service's probes.
    #[must_use]
    pub(crate) fn timeout_of(&self, service: &str) -> Duration {
        self.service(service).timeout()
    }

    /// Whether a service has a unix socket, and so needs no port.
    #[must_use]
    pub(crate) fn has_socket(&self, service: &str) -> bool {
        self.service(service).socket().is_some()
    }

    /// All that counts for a service, as it is shown to people.
    #[must_use]
    pub(crate) fn merged(&self, name: &str) -> Service {
        self.service(name).merged()
    }
}
