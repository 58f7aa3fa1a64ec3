//! What is wrong or odd about settings of the fleet together, each of which is right by itself.

use std::path::Path;

use super::FleetSettings;
use crate::os::access;
use crate::settings::Fields;

/// Notes pairs of which one is missing, and what does nothing or is not safe.
pub fn check(settings: &FleetSettings, fields: &Fields<'_>) {
    for (one, other) in [
        ("cert_file", "key_file"),
        ("ops_cert_file", "ops_key_file"),
        ("username", "password_file"),
    ] {
        expect_both(fields, one, other);
        expect_both(fields, other, one);
    }

    warn_of_clear_text(settings, fields);
}

fn expect_both(fields: &Fields<'_>, key: &str, other: &str) {
    if let Some(reader) = fields.get(key)
        && fields.get(other).is_none()
    {
        reader.fault_of_key(format_args!("has no {other} beside it"), "set both");
    }
}

fn warn_of_clear_text(settings: &FleetSettings, fields: &Fields<'_>) {
    let endpoints = &settings.endpoints;
    // Once for all of them: they stand beside one another in the file.
    let afar = endpoints.iter().find(|e| !e.tls && !e.is_loopback());
    if let (Some(endpoint), Some(reader)) = (afar, fields.get("endpoints")) {
        reader.warn(format!(
            "{endpoint} is spoken to in clear text, so whoever can listen on the way can read and write orders; use https://"
        ));
    }

    if !endpoints.iter().any(|endpoint| endpoint.tls) {
        warn_of_idle_files(fields);
    }
}

/// Files of TLS where nothing is spoken to within TLS.
fn warn_of_idle_files(fields: &Fields<'_>) {
    for key in ["ca_file", "cert_file", "ops_cert_file"] {
        if let Some(reader) = fields.get(key) {
            reader.warn("no endpoint begins with https://, so it does nothing; use https://");
        }
    }
}

/// Warns of files that are named and cannot be read: for `hacheck config` alone, as that holds for the user who asks.
pub fn warn_of_named_files(settings: &FleetSettings, fields: &Fields<'_>) {
    let files = [
        ("ca_file", &settings.ca_file),
        ("cert_file", &settings.cert_file),
        ("key_file", &settings.key_file),
        ("ops_cert_file", &settings.ops_cert_file),
        ("ops_key_file", &settings.ops_key_file),
        ("password_file", &settings.password_file),
    ];
    for (key, file) in files {
        if let Some(file) = file {
            warn_of_file(fields, key, file);
        }
    }
}

fn warn_of_file(fields: &Fields<'_>, key: &str, file: &Path) {
    if let (Some(reader), Some(text)) = (fields.get(key), unreadable(file)) {
        reader.warn(text);
    }
}

fn unreadable(file: &Path) -> Option<String> {
    let cause = access::unreadable(file)?;
    Some(format!(
        "cannot read {}: {cause}; put it there, readable for whom it is meant",
        file.display()
    ))
}
