//! Where the passwords of a configuration go: what an operator should know of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Config;
use crate::group::GroupCheck;
use crate::net::{Host, LoginTo};
use crate::probe::{Login, PROTOCOLS, Protocol, Settings, Travel};
use crate::settings::Fields;

/// Which ports passwords go to, where credentials are set and `login_to` is not.
pub(super) fn note(settings: &Settings, fields: &Fields<'_>) -> Option<String> {
    let places: Vec<String> = logins(settings).filter_map(|(p, _)| place(p)).collect();
    if places.is_empty() || fields.get("login_to").is_some() {
        return None;
    }
    Some(format!(
        "login_to is not set, so checks log in at this host's own addresses only, and there at: {}; list other places, or [local], in login_to",
        places.join(", ")
    ))
}

/// `redis port 6379`.
fn place(protocol: &Protocol) -> Option<String> {
    let port = protocol.default_port?;
    Some(format!("{} port {port}", protocol.name))
}

/// Warns where passwords go off this host in clear, or over TLS to whoever answers.
pub(super) fn warn(config: &Config, fields: &Fields<'_>) {
    if let Some(reader) = fields.get("login_to") {
        for text in to_places(&config.probe) {
            reader.warn(text);
        }
    }
    if let Some(reader) = fields.get("groups") {
        for text in to_groups(config) {
            reader.warn(text);
        }
    }
}

fn to_places(settings: &Settings) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    let places = settings.login_to.iter();
    for place in places.filter(|place| !place.stays_here()) {
        for (protocol, login) in logins(settings) {
            if is_meant(place, protocol, settings) {
                texts.extend(exposed(&login, &place.to_string()));
            }
        }
    }
    texts
}

/// Whether a protocol's servers are at a place: not where it has the port of another protocol.
fn is_meant(place: &LoginTo, protocol: &Protocol, settings: &Settings) -> bool {
    let Some(port) = place.port() else {
        return true;
    };
    let mut others = logins(settings).map(|(other, _)| other.default_port);
    protocol.default_port == Some(port) || !others.any(|usual| usual == Some(port))
}

fn to_groups(config: &Config) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    let checks = config.groups.values().flat_map(|group| &group.checks);
    for check in checks.filter(|check| leaves_this_host(check)) {
        let login = Protocol::find(check.protocol).and_then(|p| (p.login)(&config.probe));
        let place = format!("{}:{}", check.host, check.port);
        texts.extend(login.and_then(|login| exposed(&login, &place)));
    }
    texts
}

fn leaves_this_host(check: &GroupCheck) -> bool {
    match &check.host {
        Host::Local => false,
        Host::Address(address) => !IpAddr::is_loopback(address),
        Host::Name(_) => true,
    }
}

/// The protocols whose checks log in.
fn logins(settings: &Settings) -> impl Iterator<Item = (&'static Protocol, Login)> {
    let rows = PROTOCOLS.iter();
    rows.filter_map(|protocol| Some((protocol, (protocol.login)(settings)?)))
}

/// What is wrong with how a password travels to a place, and what to do.
fn exposed(login: &Login, place: &str) -> Option<String> {
    let password = login.password?;
    match login.travel {
        Travel::Verified => None,
        Travel::Unverified => Some(format!(
            "{password} goes to {place} over TLS that is not verified, so to whoever answers there; set tls_verify: true"
        )),
        Travel::AsServerChooses(remedy) => Some(format!(
            "{password} goes to {place} without TLS, or with it only where the server chooses so; set {remedy} and tls_verify: true"
        )),
        Travel::InClear(remedy) => Some(format!(
            "{password} goes to {place} in clear; set {remedy} and tls_verify: true"
        )),
    }
}
