//! Files and programs that the configuration names and that cannot be used.
//!
//! Rule: warnings for `hacheck config` alone, as they hold for the user who asks and for now; a daemon that starts finds
//! out for itself.

use std::path::{Path, PathBuf};

use super::Config;
use crate::os::access;
use crate::os::logging::LogPath;
use crate::os::process::{Argv, can_be_run};
use crate::probe::{OrOff, Service};
use crate::settings::Fields;

/// Warns of every one.
pub fn warn_of_named_files(config: &Config, fields: &Fields<'_>) {
    let daemon = &config.daemon;
    for (key, file) in [
        ("tls_ca_file", &config.probe.tls_ca_file),
        ("tls_cert_file", &daemon.tls_cert_file),
        ("tls_key_file", &daemon.tls_key_file),
        ("tls_client_ca_file", &daemon.tls_client_ca_file),
    ] {
        warn(fields, key, file.as_deref().and_then(unreadable));
    }
    for file in &daemon.remote_spool_tokens {
        warn(fields, "remote_spool_tokens", unreadable(file));
    }
    if let LogPath::File(file) = &config.log.log_path {
        warn(fields, "log_path", unwritable(file));
    }
    let socket = daemon.listen_unix.as_deref();
    warn(fields, "listen_unix", socket.and_then(no_place));
    for (name, argv) in &config.probe.exec {
        warn(fields, "exec", not_runnable(name, argv));
    }
    warn_of_services(config, fields);
    warn_of_groups(config, fields);
}

/// Warns at a key, if it is in the file and there is something to tell.
fn warn(fields: &Fields<'_>, key: &str, text: Option<String>) {
    if let (Some(reader), Some(text)) = (fields.get(key), text) {
        reader.warn(text);
    }
}

fn warn_of_services(config: &Config, fields: &Fields<'_>) {
    for (name, service) in &config.probe.services {
        for file in files_of(service) {
            let text = unreadable(file).map(|text| format!("{name}: {text}"));
            warn(fields, "services", text);
        }
    }
}

fn files_of(service: &Service) -> Vec<&Path> {
    let Some(OrOff::On(tls)) = &service.tls else {
        return Vec::new();
    };
    let files = [&tls.ca_file, &tls.cert_file, &tls.key_file];
    files.into_iter().flatten().map(PathBuf::as_path).collect()
}

fn warn_of_groups(config: &Config, fields: &Fields<'_>) {
    for (name, group) in &config.groups {
        for argv in group.on_up.iter().chain(&group.on_down) {
            warn(fields, "groups", not_runnable(name, argv));
        }
    }
}

fn not_runnable(name: &str, argv: &Argv) -> Option<String> {
    let wanted = argv.program();
    if can_be_run(wanted) {
        return None;
    }
    Some(format!(
        "{name}: there is no program {wanted} that this user may run; install it, or give its whole path"
    ))
}

fn unreadable(file: &Path) -> Option<String> {
    let cause = access::unreadable(file)?;
    Some(format!(
        "cannot read {}: {cause}; put it there, readable for the user that hacheck runs as",
        file.display()
    ))
}

fn unwritable(file: &Path) -> Option<String> {
    let cause = access::unwritable(file)?;
    Some(format!(
        "cannot write {}: {cause}; make its folder, and let the user that hacheck runs as write there",
        file.display()
    ))
}

fn no_place(socket: &Path) -> Option<String> {
    let cause = access::no_place(socket)?;
    Some(format!(
        "cannot make {}: {cause}; make its folder, and let the user that hacheck runs as write there",
        socket.display()
    ))
}
