//! A check that can be looked up: what is probed, and the keys of its result.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::sync::Arc;

use hyper::header::{HOST, HeaderValue};

use super::Wants;
use crate::check::cache::Key;
use crate::net::Host;
use crate::probe::{self, GROUP, Outcome, Protocol, Request, Target};

/// A check that can be looked up.
#[derive(Debug)]
pub struct Lookup {
    /// How to probe.
    pub protocol: &'static Protocol,
    /// Where, and with which request.
    pub target: Arc<Target>,
    pub(super) key: Key,
    /// The key of pollers who name no virtual host, where this one does.
    pub(super) without_host: Option<Key>,
}

impl Lookup {
    /// Finds the keys.
    ///
    /// # Errors
    /// The answer, where the check makes no sense.
    pub fn new(
        protocol: &'static Protocol,
        target: Arc<Target>,
        settings: &probe::Settings,
    ) -> Result<Self, Outcome> {
        let (key, without_host) = keys(protocol, &target, settings)?;
        Ok(Self {
            protocol,
            target,
            key,
            without_host,
        })
    }

    /// What is wanted of a target: a check, or a refused one.
    #[must_use]
    pub fn wanted(
        protocol: &'static Protocol,
        target: Arc<Target>,
        settings: &probe::Settings,
    ) -> Wants {
        match Self::new(protocol, Arc::clone(&target), settings) {
            Ok(lookup) => Wants::Check(lookup),
            Err(answer) => Wants::Refused(answer, Some((protocol, target))),
        }
    }
}

/// The cache key of a check; and the one of pollers who name no virtual host, where this one does.
fn keys(
    protocol: &'static Protocol,
    target: &Target,
    settings: &probe::Settings,
) -> Result<(Key, Option<Key>), Outcome> {
    let by_service = protocol.keyed_by_service
        || settings.service_name_header.is_some()
        || settings.is_special(&target.service);
    // A host that the configuration names may be one that requests must not: they do not share results.
    let service = match target.host {
        Host::Local => by_service.then(|| Arc::clone(&target.service)),
        _ if target.trusted => Some(format!("group:{}", target.service).into()),
        _ => by_service.then(|| Arc::clone(&target.service)),
    };
    // Nothing of a request but the name decides what a group is.
    let (host, port) = if protocol.name == GROUP {
        (Host::Local, 0)
    } else {
        (target.host.clone(), target.port)
    };
    let key = |request| Key::new(protocol.name, host.clone(), port, service.clone(), request);
    Ok(match protocol.request {
        Request::Ignored => (key(None), None),
        Request::Segment => (key(Some(target.segment().into())), None),
        Request::Options(read) => {
            let options = read(target.query());
            let options =
                options.map_err(|e| Outcome::bad_request(format!("{}: {e}", protocol.name)))?;
            (key(Some(options.into_boxed_str())), None)
        }
        Request::Whole => {
            let plain = key(Some(request(target, false)));
            if target.headers.get(&HOST).is_some_and(names_virtual_host) {
                // Over TLS the name also decides which certificate is asked for, and verified.
                (
                    key(Some(request(target, true))),
                    Some(plain).filter(|_| protocol.name == "http"),
                )
            } else {
                (plain, None)
            }
        }
    })
}

/// Path, query string and copied headers as one text.
fn request(target: &Target, with_host: bool) -> Box<str> {
    let mut text = String::from(&*target.path);
    for (name, value) in target
        .headers
        .iter()
        .filter(|(name, _)| with_host || *name != HOST)
    {
        text.push('\n');
        text.push_str(name.as_str());
        text.push(':');
        text.extend(value.as_bytes().iter().map(|b| char::from(*b)));
    }
    text.into_boxed_str()
}

/// Whether a `Host` asks for a certain site. A balancer that was not told one sends the address that it connects to,
/// which differs from balancer to balancer and means nothing to the service.
fn names_virtual_host(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return true };
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    if port.bytes().all(|b| b.is_ascii_digit()) {
        return !(name.is_empty()
            || name.eq_ignore_ascii_case("localhost")
            || name.parse::<Ipv4Addr>().is_ok());
    }
    // More than one colon: nothing but an address of IPv6 has these.
    let bare = host
        .strip_prefix('[')
        .and_then(|h| h.strip_suffix(']'))
        .unwrap_or(host);
    bare.parse::<Ipv6Addr>().is_err() && host.parse::<SocketAddrV6>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(protocol: &str, path: &str) -> Result<Key, Outcome> {
        keys(
            Protocol::find(protocol).unwrap(),
            &Target::local(1, path),
            &probe::Settings::default(),
        )
        .map(|(key, _)| key)
    }

    #[test]
    fn a_made_up_request_cannot_multiply_probes_of_those_that_do_not_use_it() {
        for (protocol, a, b, same) in [
            ("tcp", "/a?b", "/c?d", true),
            ("http", "/a?b", "/a?c", false),
            ("mysql", "/a", "/b?", true),
            (
                "mysql",
                "/?max_lag=3&role=replica",
                "/x?role=replica&max_lag=03",
                true,
            ),
            ("mysql", "/?max_lag=3", "/?max_lag=4", false),
        ] {
            assert_eq!(
                key_of(protocol, a).unwrap() == key_of(protocol, b).unwrap(),
                same,
                "{protocol} {a} {b}"
            );
        }
        assert!(
            key_of("mysql", "/whatever?a=b").is_ok(),
            "the originals ignored the query"
        );
        assert_eq!(
            key_of("mysql", "/?rolle=primary").unwrap_err().status,
            hyper::StatusCode::BAD_REQUEST
        );
    }

    #[test]
    fn an_address_is_no_virtual_host() {
        for host in [
            "",
            "127.0.0.1",
            "127.0.0.1:3333",
            "[::1]:3333",
            "[::1]",
            "::1",
            "localhost:80",
            "LOCALHOST",
        ] {
            assert!(
                !names_virtual_host(&HeaderValue::from_static(host)),
                "{host}"
            );
        }
        for host in ["a.example", "a.example:8080", "web", "1.2.3.4.example"] {
            assert!(
                names_virtual_host(&HeaderValue::from_static(host)),
                "{host}"
            );
        }
    }
}
