//! The key of a stored result: everything of a check that decides what comes of it, and nothing else.
//!
//! Rule: what a request can make up is in the key only of protocols that use it, so that it cannot multiply probes. What
//! one virtual host answers is never told to who asks for another one, or for none.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::sync::Arc;

use hyper::header::{HOST, HeaderName, HeaderValue};

use crate::net::{Host, without_brackets};
use crate::probe::{Check, Context, Outcome, Request, Target};

/// What a result belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey(Arc<Parts>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Parts {
    protocol: &'static str,
    host: Host,
    port: u16,
    /// The service, where it decides the result.
    service: Option<Arc<str>>,
    /// Path, query string and copied headers, as far as the protocol uses them.
    request: Option<Box<str>>,
}

impl CacheKey {
    /// Finds the key.
    ///
    /// # Errors
    /// The answer, where the check makes no sense.
    pub fn of(check: &Check, context: &Context) -> Result<Self, Outcome> {
        let (host, port) = place(check);
        let parts = Parts {
            protocol: check.protocol.name,
            host,
            port,
            service: service(check, context),
            request: request(check)?,
        };
        Ok(Self(Arc::new(parts)))
    }

    /// The memory that it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let service = self.0.service.as_deref().unwrap_or_default();
        let request = self.0.request.as_deref().unwrap_or_default();
        size_of::<Self>() + size_of::<Parts>() + service.len() + request.len()
    }
}

/// What is asked, as far as the protocol uses it.
fn request(check: &Check) -> Result<Option<Box<str>>, Outcome> {
    let target = &*check.target;
    // Options are in their canonical form, so that two spellings of one question share a result.
    let request = match check.protocol.request {
        Request::Ignored => return Ok(None),
        Request::Segment => target.segment().into(),
        Request::Path => target.bare_path().into(),
        Request::Options(read) => match read(target.query()) {
            Ok(options) => options.into(),
            Err(e) => return Err(wrong_options(check, e)),
        },
        Request::Whole => whole(target),
    };
    Ok(Some(request))
}

fn wrong_options(check: &Check, why: impl fmt::Display) -> Outcome {
    let protocol = check.protocol.name;
    Outcome::bad_request(format!("{protocol}: {why}"))
}

fn place(check: &Check) -> (Host, u16) {
    let target = &*check.target;
    match check.is_group() {
        // Nothing of a request but the name decides what a group is.
        true => (Host::Local, 0),
        false => (target.host.clone(), target.port),
    }
}

/// The service, where it decides the result.
fn service(check: &Check, context: &Context) -> Option<Arc<str>> {
    let target = &*check.target;
    // What the configuration names may be what requests must not ask for: they share neither results nor refusals.
    if target.trusted && !context.is_open(check) {
        return Some(format!("group:{}", target.service).into());
    }

    let settings = &context.settings;
    // With `service_name_header` the upstream is told the name, and its answer may depend on it.
    if check.protocol.keyed_by_service || settings.service_name_header.is_some() {
        return Some(Arc::clone(&target.service));
    }

    // Services with the same settings share results, so that made-up names that fit a pattern cannot multiply probes.
    settings.service(&target.service).key().map(Arc::from)
}

/// Path, query string and copied headers as one text; a `Host` only where it names a virtual host.
fn whole(target: &Target) -> Box<str> {
    let mut text = String::from(&*target.path);
    for (name, value) in target.headers.iter() {
        // A `Host` that is only an address differs by balancer, and each would get a probe of its own.
        if *name != HOST || names_virtual_host(value) {
            push_header(&mut text, name, value);
        }
    }

    text.into_boxed_str()
}

fn push_header(text: &mut String, name: &HeaderName, value: &HeaderValue) {
    // Neither a path nor a header can hold a line feed, so that no two requests make the same text.
    text.push('\n');
    text.push_str(name.as_str());
    text.push(':');
    // Byte by byte: a lossy conversion would make different values the same key.
    text.extend(value.as_bytes().iter().map(|b| char::from(*b)));
}

/// Whether a `Host` asks for a certain site. A balancer that was not told one sends the address that it connects to,
/// which differs from balancer to balancer and means nothing to the service.
fn names_virtual_host(host: &HeaderValue) -> bool {
    // A value that is not text is no address. Whether it is a valid name is for the upstream to say.
    let Ok(host) = host.to_str() else { return true };
    let (name, port) = host.split_once(':').unwrap_or((host, ""));
    if port.bytes().all(|b| b.is_ascii_digit()) {
        return !name.is_empty() && name.parse::<Ipv4Addr>().is_err();
    }

    // More than one colon: nothing but an address of IPv6 has these.
    !is_ipv6(host)
}

/// Whether it is an address of IPv6: bare, in brackets, or with a port behind these.
fn is_ipv6(host: &str) -> bool {
    let bare = without_brackets(host);
    bare.parse::<Ipv6Addr>().is_ok() || host.parse::<SocketAddrV6>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{LoginTo, Ports};
    use crate::probe::{ProbeSettings, Protocol};
    use crate::settings::Secret;

    fn key_of(protocol: &str, path: &str) -> Result<CacheKey, Outcome> {
        let check = Check {
            protocol: Protocol::find(protocol).unwrap(),
            target: Arc::new(Target::local(1, path)),
        };
        CacheKey::of(&check, &Context::plain(ProbeSettings::default()))
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
    fn a_group_shares_results_with_pollers_where_they_may_ask_too() {
        let context = Context::plain(ProbeSettings {
            redis_password: Some(Secret::new("hunter2".into())),
            allowed_ports: vec![Ports::parse("6379-8000").unwrap()],
            login_to: vec![LoginTo::LOCAL],
            ..ProbeSettings::default()
        });
        for (protocol, port, shared) in [
            ("tcp", 7000, true),
            ("tcp", 22, false),
            ("redis", 6379, true),
            ("redis", 7000, false),
        ] {
            let key = |trusted| {
                let target = Target {
                    trusted,
                    ..Target::local(port, "/")
                };
                let check = Check {
                    protocol: Protocol::find(protocol).unwrap(),
                    target: Arc::new(target),
                };
                CacheKey::of(&check, &context).unwrap()
            };
            assert_eq!(key(true) == key(false), shared, "{protocol} {port}");
        }
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
        ] {
            assert!(
                !names_virtual_host(&HeaderValue::from_static(host)),
                "{host}"
            );
        }
        for host in [
            "a.example",
            "a.example:8080",
            "web",
            "1.2.3.4.example",
            "localhost:80",
        ] {
            assert!(
                names_virtual_host(&HeaderValue::from_static(host)),
                "{host}"
            );
        }
    }
}
