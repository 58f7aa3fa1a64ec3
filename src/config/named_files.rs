//! Files and programs that the configuration names and that cannot be used.
//!
//! Rule: warnings for `hacheck config` alone, as they hold for the user who asks and for now; a daemon that starts finds
//! out for itself.

use std::path::{Path, PathBuf};

use super::Config;
use crate::http::tls::{TlsFiles, TlsServer};
use crate::os::access;
use crate::os::logging::LogPath;
use crate::os::process::{Argv, can_be_run};
use crate::probe::{OrOff, Service};
use crate::settings::Fields;

/// Warns of every one.
pub(crate) fn warn_of_named_files(config: &Config, fields: &Fields<'_>) {
    warn_of_tls_files(config, fields);
    for file in &config.daemon.remote_spool_tokens {
        warn(fields, "remote_spool_tokens", unreadable(file));
    }

    if let LogPath::File(file) = &config.log.log_path {
        warn(fields, "log_path", unwritable(file));
    }

    // The folder decides whether a socket can be made; an old one is replaced.
    let socket = config.daemon.listen_unix.as_deref();
    warn(fields, "listen_unix", socket.and_then(no_place));
    for (name, argv) in &config.probe.exec {
        warn(fields, "exec", not_runnable(name, argv));
    }

    warn_of_global_tls(config, fields);
    warn_of_services(config, fields);
    warn_of_groups(config, fields);
}

fn warn_of_tls_files(config: &Config, fields: &Fields<'_>) {
    let daemon = &config.daemon;
    for (key, file) in [
        ("tls_ca_file", &config.probe.tls_ca_file),
        ("tls_cert_file", &daemon.tls_cert_file),
        ("tls_key_file", &daemon.tls_key_file),
        ("tls_client_ca_file", &daemon.tls_client_ca_file),
    ] {
        warn(fields, key, file.as_deref().and_then(unreadable));
    }
}

/// Warns at a key, if it is in the file and there is something to tell.
fn warn(fields: &Fields<'_>, key: &str, text: Option<String>) {
    // Defaults are not in the file, so there is nothing to mend there.
    if let (Some(reader), Some(text)) = (fields.get(key), text) {
        reader.warn(text);
    }
}

fn warn_of_services(config: &Config, fields: &Fields<'_>) {
    for (name, service) in &config.probe.services {
        for text in wrong_files(config, name, service) {
            warn(fields, "services", Some(format!("{name}: {text}")));
        }
    }
}

/// What is wrong with the files of a service, each by itself; else with all of them together.
fn wrong_files(config: &Config, name: &str, service: &Service) -> Vec<String> {
    let files = files_of(service);
    let texts: Vec<String> = files.into_iter().filter_map(unreadable).collect();
    // Unreadable files come first: that they do not fit either is no news.
    match config.probe.tls_fault(Some(name)) {
        Some(fault) if texts.is_empty() && service.tls.is_some() => vec![fault.text()],
        _ => texts,
    }
}

fn files_of(service: &Service) -> Vec<&Path> {
    let Some(OrOff::On(tls)) = &service.tls else {
        return Vec::new();
    };

    let files = [&tls.ca_file, &tls.cert_file, &tls.key_file];
    files.into_iter().flatten().map(PathBuf::as_path).collect()
}

/// Files that can be read may hold something else, or not fit each other.
fn warn_of_global_tls(config: &Config, fields: &Fields<'_>) {
    warn_of_authorities(config, fields);
    let Some(files) = config.daemon.tls_files() else {
        return;
    };

    // Loaded as the daemon does at its start, for the same message.
    match TlsServer::load(&files, config.http.http2) {
        Err(fault) if !is_told(&files) => warn(fields, fault.setting(), Some(fault.text())),
        Ok(_) | Err(_) => {}
    }
}

fn warn_of_authorities(config: &Config, fields: &Fields<'_>) {
    let authorities = config.probe.tls_ca_file.as_deref();
    // If the file cannot be read, there is a warning about it by now.
    if authorities.and_then(unreadable).is_none() {
        let fault = config.probe.tls_fault(None);
        warn(fields, "tls_verify", fault.map(|fault| fault.text()));
    }
}

/// Whether one of these files cannot be read, of which there is a warning by now.
fn is_told(files: &TlsFiles<'_>) -> bool {
    let required = [files.certificate, files.key];
    let mut all = required.into_iter().chain(files.client_authorities);
    all.any(|file| unreadable(file).is_some())
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
    match can_be_run(wanted) {
        true => None,
        false => Some(format!(
            "{name}: there is no program {wanted} that this user may run; install it, or give its whole path"
        )),
    }
}

fn unreadable(file: &Path) -> Option<String> {
    let cause = access::unreadable(file)?;
    let file = file.display();
    Some(format!(
        "cannot read {file}: {cause}; put it there, readable for the user that hacheck runs as"
    ))
}

fn unwritable(file: &Path) -> Option<String> {
    let cause = access::unwritable(file)?;
    Some(format!(
        "cannot write {}: {cause}; {MAKE_FOLDER}",
        file.display()
    ))
}

fn no_place(socket: &Path) -> Option<String> {
    let cause = access::no_place(socket)?;
    Some(format!(
        "cannot make {}: {cause}; {MAKE_FOLDER}",
        socket.display()
    ))
}

const MAKE_FOLDER: &str = "make its folder, and let the user that hacheck runs as write there";
