//! Where the passwords of a configuration go: what an operator should know of it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Config;
use crate::group::GroupCheck;
use crate::net::{Host, LoginTo};
use crate::probe::{Login, PROTOCOLS, ProbeSettings, Protocol, Travel};
use crate::settings::Fields;

/// Which ports passwords go to, where credentials are set and `login_to` is not.
pub(super) fn note(settings: &ProbeSettings, fields: &Fields<'_>) -> Option<String> {
    // Who has set it knows of it.
    if fields.get("login_to").is_some() {
        return None;
    }

    let places = logins(settings).map(|(protocol, login)| place(protocol, &login));
    let places: Vec<String> = places.collect();
    // Without credentials no password is sent anywhere, so there is nothing to tell.
    match places.is_empty() {
        true => None,
        false => Some(at_this_host(&places.join(", "))),
    }
}

fn at_this_host(places: &str) -> String {
    format!(
        "login_to is not set, so checks log in at this host's own addresses only, and there at: {places}; list other places, or [local], in login_to"
    )
}

/// `redis port 6379`, `http any port`.
fn place(protocol: &Protocol, login: &Login) -> String {
    let name = protocol.name;
    match login.port {
        Some(port) => format!("{name} port {port}"),
        None => format!("{name} any port"),
    }
}

/// Warns where passwords go off this host in clear, or over TLS to whoever answers.
pub(super) fn warn(config: &Config, fields: &Fields<'_>) {
    warn_at(fields, "login_to", to_places(&config.probe));
    warn_at(fields, "services", to_places_of_services(&config.probe));
    warn_at(fields, "groups", to_groups(config));
}

fn warn_at(fields: &Fields<'_>, key: &str, texts: BTreeSet<String>) {
    // Without the key the defaults hold, which send nothing off this host.
    if let Some(reader) = fields.get(key) {
        for text in texts {
            reader.warn(text);
        }
    }
}

fn to_places(settings: &ProbeSettings) -> BTreeSet<String> {
    // A set, because several protocols may give the same warning.
    let mut texts = BTreeSet::new();
    for place in settings.login_to.iter().filter(|place| leaves(place)) {
        texts.extend(to_place(place, settings));
    }

    texts
}

fn leaves(place: &LoginTo) -> bool {
    !place.stays_here()
}

fn to_place(place: &LoginTo, settings: &ProbeSettings) -> Vec<String> {
    let shown = place.to_string();
    let mut texts = Vec::new();
    for (_, login) in logins(settings) {
        if is_meant(place, &login, settings) {
            texts.extend(exposed(&login, &shown));
        }
    }

    texts
}

/// Where entries of `services` have places of their own.
fn to_places_of_services(settings: &ProbeSettings) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for (name, entry) in &settings.services {
        let own = entry.login_to.iter().flatten();
        for place in own.filter(|place| leaves(place)) {
            texts.extend(exposed_of_service(settings, name, place));
        }
    }

    texts
}

/// What is wrong with the logins of a service to one of its places.
fn exposed_of_service(settings: &ProbeSettings, name: &str, place: &LoginTo) -> Vec<String> {
    let shown = place.to_string();
    let mut texts = Vec::new();
    for login in logins_of(settings, name) {
        if is_meant(place, &login, settings)
            && let Some(text) = exposed(&login, &shown)
        {
            texts.push(format!("{name}: {text}"));
        }
    }

    texts
}

/// How checks of a service log in, by whatever protocols do.
fn logins_of(settings: &ProbeSettings, service: &str) -> impl Iterator<Item = Login> {
    let protocols = PROTOCOLS.iter();
    protocols.filter_map(move |protocol| (protocol.login)(settings, service))
}

/// Whether a protocol's servers are at a place: not where it has the port of another protocol.
fn is_meant(place: &LoginTo, login: &Login, settings: &ProbeSettings) -> bool {
    // Without a port nothing tells which protocols the operator had in mind, so all count.
    let port = place.port();
    if port.is_none() || port == login.port {
        return true;
    }

    let mut others = logins(settings);
    !others.any(|(_, other)| other.port == port)
}

fn to_groups(config: &Config) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for (name, group) in &config.groups {
        for check in group.checks.iter().filter(|check| leaves_this_host(check)) {
            texts.extend(exposed_by(check, name, &config.probe));
        }
    }

    texts
}

/// What is wrong with the login of a group's check; the group is the service that it is for.
fn exposed_by(check: &GroupCheck, group: &str, settings: &ProbeSettings) -> Option<String> {
    let protocol = Protocol::find(check.protocol)?;
    let login = (protocol.login)(settings, group)?;
    let place = format!("{}:{}", check.host, check.port);
    exposed(&login, &place)
}

fn leaves_this_host(check: &GroupCheck) -> bool {
    match &check.host {
        Host::Local => false,
        // Other addresses of this host count as elsewhere: the file may be checked on another host.
        Host::Address(address) => !IpAddr::is_loopback(address),
        Host::Name(_) => !check.host.is_localhost(),
    }
}

/// The protocols whose checks log in, of some service at least.
fn logins(settings: &ProbeSettings) -> impl Iterator<Item = (&'static Protocol, Login)> {
    let rows = PROTOCOLS.iter();
    rows.filter_map(|protocol| Some((protocol, login(protocol, settings)?)))
}

fn login(protocol: &Protocol, settings: &ProbeSettings) -> Option<Login> {
    let own = settings.services.keys().map(String::as_str);
    // The empty name comes first: no service has it, so it finds the global credentials.
    let mut services = std::iter::once("").chain(own);
    services.find_map(|service| (protocol.login)(settings, service))
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
            "{password} goes to {place} without TLS, or with it only where the server chooses so; {remedy}"
        )),
        Travel::InClear(remedy) => Some(format!("{password} goes to {place} in clear; {remedy}")),
    }
}
