//! How a service's probes speak TLS, as it is written.

use std::path::PathBuf;

use crate::settings::{Reader, flag, path, read_part, settings, show_part, text};

settings! {
    /// TLS of a service.
    pub struct ServiceTls {
        /// Whether the server's certificate is verified, in place of `tls_verify`.
        verify: Option<bool> = None, flag().or_unset();
        /// The certificates to trust, in place of `tls_ca_file`.
        ca_file: Option<PathBuf> = None, path("path of a PEM file", "/etc/hacheck/ca.pem").or_unset();
        /// The certificate that probes show to a server that asks for one; with `key_file`.
        cert_file: Option<PathBuf> = None, path("path of a PEM file", "/etc/hacheck/probe.pem").or_unset();
        /// The key of that certificate.
        key_file: Option<PathBuf> = None, path("path of a PEM file", "/etc/hacheck/probe.key").or_unset();
        /// The name that is asked for and verified, in place of the host's.
        server_name: Option<String> = None, text().or_unset();
        /// Whether SMTP probes begin without TLS and then ask for it by STARTTLS.
        starttls: Option<bool> = None, flag().or_unset();
    }
}

impl ServiceTls {
    pub(super) fn read(reader: &Reader<'_>) -> Option<Self> {
        let (tls, _) = read_part(&Self::table(), reader)?;
        Some(tls)
    }

    pub(super) fn show(&self) -> String {
        show_part(&Self::table(), self)
    }
}
