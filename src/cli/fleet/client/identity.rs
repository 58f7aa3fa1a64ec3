//! What shows the engine who a command is: a certificate and its key.

use std::path::{Path, PathBuf};

use crate::cli::failure::{Failure, failed};
use crate::fleet::settings::FleetSettings;
use crate::os::access;

/// Name the certificate and the key of the commands, and win over the file of the fleet.
pub(super) const CERT_VARIABLE: &str = "HACHECK_FLEET_CERT";
pub(super) const KEY_VARIABLE: &str = "HACHECK_FLEET_KEY";

/// The files of a certificate and its key.
pub(super) type CertAndKey = (PathBuf, PathBuf);

/// Certificate and key of this host's daemon; `None` where it has none, this user may not read them, or others are named.
pub(super) fn host_identity(settings: &FleetSettings) -> Option<CertAndKey> {
    if variable(CERT_VARIABLE).is_some() || variable(KEY_VARIABLE).is_some() {
        return None;
    }

    let (cert, key) = settings.cert_file.clone().zip(settings.key_file.clone())?;
    let is_readable = |file: &Path| access::unreadable(file).is_none();
    (is_readable(&cert) && is_readable(&key)).then_some((cert, key))
}

/// What shows who the operator is, as the environment says, else the settings.
pub(super) fn identity(settings: &FleetSettings) -> Result<Option<CertAndKey>, Failure> {
    let pair = match (variable(CERT_VARIABLE), variable(KEY_VARIABLE)) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => of_settings(settings),
        // Half of a pair is a slip: taken for none, it would let another identity be shown.
        (Some(_), None) => return Err(half(CERT_VARIABLE, KEY_VARIABLE)),
        (None, Some(_)) => return Err(half(KEY_VARIABLE, CERT_VARIABLE)),
    };

    if let Some((cert, key)) = &pair {
        expect_readable(cert)?;
        expect_readable(key)?;
    }

    Ok(pair)
}

fn variable(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os(name)?;
    (!path.is_empty()).then(|| path.into())
}

fn of_settings(settings: &FleetSettings) -> Option<CertAndKey> {
    let cert = settings.ops_cert_file.clone()?;
    let key = settings.ops_key_file.clone()?;
    Some((cert, key))
}

fn half(given: &str, missing: &str) -> Failure {
    failed!("{given} is set without {missing}; set both")
}

fn expect_readable(file: &Path) -> Result<(), Failure> {
    // Told here, as the library's error would be that of a broken certificate.
    let Some(cause) = access::unreadable(file) else {
        return Ok(());
    };

    let file = file.display();
    Err(failed!(
        "cannot read {file}: {cause}; run as root or as a member of the group hacheck-ops, or set {CERT_VARIABLE} and {KEY_VARIABLE}"
    ))
}
