//! What is odd about settings together, each of which is right by itself.

use super::{Config, DaemonSettings};
use crate::settings::Fields;

const NO_PASSWORD: &str =
    "there is no mysql_password beside it, so MySQL probes will not log in; set both";

const NO_USERNAME: &str =
    "there is no mysql_username beside it, so MySQL probes will not log in; set both";

const NO_TOKENS: &str = "there are no remote_spool_tokens beside it, so whoever connects from remote_spool_from (any \
    address, unless it is set) can take every service of this host out of rotation; set remote_spool_tokens";

/// Warns of settings that do nothing, or are not safe, without others.
pub fn warn_of_relations(config: &Config, fields: &Fields<'_>) {
    let warn = |key, text: &str| {
        if let Some(reader) = fields.get(key) {
            reader.warn(text);
        }
    };
    if !config.probe.tls_verify {
        warn(
            "tls_ca_file",
            "the certificates are not used while tls_verify is false; set tls_verify: true",
        );
    }
    let daemon = &config.daemon;
    match (
        daemon.allow_remote_spool_changes,
        daemon.remote_spool_tokens.is_empty(),
    ) {
        (false, false) => warn(
            "remote_spool_tokens",
            "no spool change from afar is taken; set allow_remote_spool_changes: true",
        ),
        (true, true) => warn("allow_remote_spool_changes", NO_TOKENS),
        (true, false) | (false, true) => {}
    }
    let usual_mode = DaemonSettings::default().listen_unix_mode;
    if daemon.listen_unix.is_none() && daemon.listen_unix_mode != usual_mode {
        warn(
            "listen_unix_mode",
            "there is no listen_unix beside it, so it does nothing; set both",
        );
    }
    if config.probe.mysql_password.is_none() {
        warn("mysql_username", NO_PASSWORD);
    }
    if fields.get("mysql_username").is_none() {
        warn("mysql_password_file", NO_USERNAME);
        warn("mysql_password", NO_USERNAME);
    }
}
