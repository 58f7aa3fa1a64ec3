//! How a service's probes speak TLS.

use std::path::Path;

use super::ServiceSettings;
use crate::probe::TlsUse;
use crate::probe::services::{OrOff, ServiceTls};

/// What makes a TLS client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::probe) struct TlsSettings<'a> {
    pub verify: bool,
    pub ca_file: Option<&'a Path>,
    pub cert_file: Option<&'a Path>,
    pub key_file: Option<&'a Path>,
}

impl<'a> ServiceSettings<'a> {
    fn tls_part<T>(self, get: impl Fn(&'a ServiceTls) -> Option<T>) -> Option<T> {
        let (parts, _) = self.parts(|entry| entry.tls.as_ref());
        parts.into_iter().find_map(get)
    }

    /// Whether TLS is on or off by an entry; none where only global settings say.
    pub(crate) fn wants_tls(self) -> Option<bool> {
        let first = self.find(|entry| entry.tls.as_ref())?;
        Some(matches!(first, OrOff::On(_)))
    }

    /// Whether a database's probes use TLS.
    pub(crate) fn tls_use(self, global: TlsUse) -> TlsUse {
        match self.wants_tls() {
            // Who writes `tls` for a service means it: without TLS its checks must not pass.
            Some(true) => TlsUse::Required,
            Some(false) => TlsUse::Off,
            None => global,
        }
    }

    /// Whether the server's certificate is verified.
    pub(crate) fn verifies(self) -> bool {
        self.tls_part(|tls| tls.verify)
            .unwrap_or(self.global.tls_verify)
    }

    /// The name that is asked for and verified, where an entry says it.
    pub(crate) fn server_name(self) -> Option<&'a str> {
        self.tls_part(|tls| tls.server_name.as_deref())
    }

    /// Whether SMTP probes ask for TLS by STARTTLS.
    pub(crate) fn starts_tls(self) -> bool {
        self.tls_part(|tls| tls.starttls).unwrap_or(false)
    }

    /// What makes its TLS client.
    pub(in crate::probe) fn tls(self) -> TlsSettings<'a> {
        let ca_file = self.tls_part(|tls| tls.ca_file.as_deref());
        TlsSettings {
            verify: self.verifies(),
            ca_file: ca_file.or(self.global.tls_ca_file.as_deref()),
            cert_file: self.tls_part(|tls| tls.cert_file.as_deref()),
            key_file: self.tls_part(|tls| tls.key_file.as_deref()),
        }
    }

    /// As it is shown to people; none where only global settings say.
    pub(super) fn merged_tls(self) -> Option<OrOff<ServiceTls>> {
        if !self.wants_tls()? {
            return Some(OrOff::Off);
        }

        let tls = self.tls();
        Some(OrOff::On(ServiceTls {
            verify: Some(tls.verify),
            ca_file: tls.ca_file.map(Path::to_owned),
            cert_file: tls.cert_file.map(Path::to_owned),
            key_file: tls.key_file.map(Path::to_owned),
            server_name: self.server_name().map(str::to_owned),
            starttls: self.tls_part(|tls| tls.starttls),
        }))
    }
}
