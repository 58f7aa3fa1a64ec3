//! What is odd about settings together, each of which is right by itself.

use super::{Config, DaemonSettings};
use crate::settings::Fields;

const NOT_VERIFIED: &str =
    "the certificates are not used while tls_verify is false; set tls_verify: true";

const NO_CHANGES: &str = "no spool change from afar is taken; set allow_remote_spool_changes: true";

const NO_SOCKET: &str = "there is no listen_unix beside it, so it does nothing; set both";

const NO_PASSWORD: &str =
    "there is no mysql_password beside it, so MySQL probes will not log in; set both";

const NO_USERNAME: &str =
    "there is no mysql_username beside it, so MySQL probes will not log in; set both";

const NO_TOKENS: &str = "there are no remote_spool_tokens beside it, so whoever connects from remote_spool_from (any \
    address, unless it is set) can take every service of this host out of rotation; set remote_spool_tokens";

const NO_CERTIFICATE: (&str, &str) = ("has no tls_cert_file beside it", "set both");

const NO_KEY: (&str, &str) = ("has no tls_key_file beside it", "set both");

const NO_AUTHORITIES: &str =
    "clients are not asked for certificates; set tls_client_ca_file to the authorities of these";

const NO_PORT: &str = "there is no tls_cert_file beside it, so it does nothing; set both";

/// Warns of settings that do nothing, or are not safe, without others.
pub(crate) fn warn_of_relations(config: &Config, fields: &Fields<'_>) {
    if !config.probe.tls_verify {
        warn(fields, "tls_ca_file", NOT_VERIFIED);
    }

    // The order does not matter: faults and warnings are sorted by their place in the file.
    warn_of_remote_changes(&config.daemon, fields);
    warn_of_tls(&config.daemon, fields);
    warn_of_a_mode_without_socket(&config.daemon, fields);
    warn_of_half_a_mysql_login(fields);
}

fn warn_of_half_a_mysql_login(fields: &Fields<'_>) {
    // By the file: one that is at fault is there all the same.
    let password = fields.get("mysql_password");
    if password.or(fields.get("mysql_password_file")).is_none() {
        warn(fields, "mysql_username", NO_PASSWORD);
    }

    if fields.get("mysql_username").is_none() {
        warn(fields, "mysql_password_file", NO_USERNAME);
        warn(fields, "mysql_password", NO_USERNAME);
    }
}

/// Warns at a key, if it is in the file.
fn warn(fields: &Fields<'_>, key: &str, text: &str) {
    if let Some(reader) = fields.get(key) {
        reader.warn(text);
    }
}

fn warn_of_tls(daemon: &DaemonSettings, fields: &Fields<'_>) {
    let has_cert = daemon.tls_cert_file.is_some();
    let has_key = daemon.tls_key_file.is_some();
    // A fault if the daemon cannot do what it is told to, a warning if a setting only has no effect.
    if !has_cert && !daemon.listen_tls.is_empty() {
        fault(fields, "listen_tls", NO_CERTIFICATE);
    }

    if has_cert && !has_key {
        fault(fields, "tls_cert_file", NO_KEY);
    }

    if has_key && !has_cert {
        warn(fields, "tls_key_file", NO_PORT);
    }

    warn_of_client_certificates(daemon, fields);
}

fn warn_of_client_certificates(daemon: &DaemonSettings, fields: &Fields<'_>) {
    let has_cert = daemon.tls_cert_file.is_some();
    let has_authorities = daemon.tls_client_ca_file.is_some();
    if has_authorities && !has_cert {
        warn(fields, "tls_client_ca_file", NO_PORT);
    }

    if !has_authorities && !daemon.remote_spool_certs.is_empty() {
        warn(fields, "remote_spool_certs", NO_AUTHORITIES);
    }
}

/// Complains at a key.
fn fault(fields: &Fields<'_>, key: &str, (what, remedy): (&str, &str)) {
    if let Some(reader) = fields.get(key) {
        reader.fault_of_key(what, remedy);
    }
}

fn warn_of_remote_changes(daemon: &DaemonSettings, fields: &Fields<'_>) {
    let has_certs = !daemon.remote_spool_certs.is_empty();
    let has_tokens = !daemon.remote_spool_tokens.is_empty();
    // A warning, not a fault: files of Yelp's hacheck, which knows no tokens, must work unchanged.
    if daemon.allow_remote_spool_changes && !has_certs && !has_tokens {
        warn(fields, "allow_remote_spool_changes", NO_TOKENS);
    }

    if !daemon.allow_remote_spool_changes && has_certs {
        warn(fields, "remote_spool_certs", NO_CHANGES);
    }

    if !daemon.allow_remote_spool_changes && has_tokens {
        warn(fields, "remote_spool_tokens", NO_CHANGES);
    }
}

fn warn_of_a_mode_without_socket(daemon: &DaemonSettings, fields: &Fields<'_>) {
    // A mode that equals the default may have been written out by a template.
    let usual = DaemonSettings::default().listen_unix_mode;
    if daemon.listen_unix.is_none() && daemon.listen_unix_mode != usual {
        warn(fields, "listen_unix_mode", NO_SOCKET);
    }
}
