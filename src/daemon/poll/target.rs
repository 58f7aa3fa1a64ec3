//! From route and headers to the target of a probe. Pure.
//!
//! HAProxy's `http-check send-state` tells the server's own address and port (see [`super::headers`]), nerve tells
//! an address (`X-Nerve-Check-IP`); both win over the URL.
//!
//! Rule: a host is an address or a host name, nothing else of a header reaches a probe's address.

use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::headers::Said;
use super::route::CheckPath;
use crate::config::Config;
use crate::net::Host;
use crate::net::LocalAddresses;
use crate::probe::{Header, Headers, Outcome, Protocol, Request, Target};
use crate::spool::parse_port;

/// Host and port to check.
///
/// # Errors
/// The answer, where there are none.
pub(crate) fn place(
    path: &CheckPath<'_>,
    said: &Said<'_>,
    own: &LocalAddresses,
) -> Result<(Host, u16), Outcome> {
    // HAProxy's word first: it knows the port that it sends traffic to, and the path may serve several servers.
    let port = match (port(path, said)?, path.port) {
        (Some(port), _) | (None, Some(port)) => port,
        (None, None) => return Err(refused(path, "the port in the path is above 65535")),
    };
    Ok((host(path, said.host, own)?, port))
}

/// The target of a probe.
///
/// # Errors
/// The answer, where there is nothing to probe.
pub(crate) fn build(
    path: &CheckPath<'_>,
    protocol: &Protocol,
    (host, port): (Host, u16),
    headers: &HeaderMap,
    config: &Config,
) -> Result<Target, Outcome> {
    // A service behind a unix socket has no port, nor has HAProxy one to tell.
    let needless = config.probe.has_socket(path.service.as_str());
    if port == 0 && !needless && protocol.needs_port() {
        return Err(no_port());
    }

    Ok(Target {
        service: path.service.shared(),
        host,
        port,
        path: path_and_query(path),
        headers: request_headers(path, protocol, headers, config),
        limit: None,
        trusted: false,
    })
}

fn no_port() -> Outcome {
    let text = "port 0 cannot be checked: neither the path nor HAProxy's header names one";
    Outcome::unavailable(text)
}

fn refused(path: &CheckPath<'_>, text: impl Into<String>) -> Outcome {
    match path.port {
        Some(_) => Outcome::bad_request(text),
        // A port that cannot be is a failing check for a balancer that probes, as the originals' 5xx was.
        None => Outcome::unavailable(text),
    }
}

/// The host to check, from what a header names.
fn host(path: &CheckPath<'_>, named: Option<&str>, own: &LocalAddresses) -> Result<Host, Outcome> {
    let Some(text) = named else {
        return Ok(Host::Local);
    };

    match Host::parse(text) {
        // Contract: the replaced tools took this address for 127.0.0.1, for the probe as for the spool.
        Ok(Host::Address(address)) if Some(address) == own.by_own_name() => Ok(Host::Local),
        Ok(host) => Ok(host),
        Err(_) => Err(no_host(path, text)),
    }
}

fn no_host(path: &CheckPath<'_>, text: &str) -> Outcome {
    let text = text.escape_debug();
    let text = format!("'{text}' is not a host to check: give an address or a host name");
    refused(path, text)
}

/// What the target is asked for: as it came, still encoded.
fn path_and_query(path: &CheckPath<'_>) -> Box<str> {
    let slash = if path.rest.starts_with('/') { "" } else { "/" };
    let path_and_query = match path.query {
        Some(query) if !query.is_empty() => [slash, path.rest, "?", query].concat(),
        _ => [slash, path.rest].concat(),
    };
    path_and_query.into_boxed_str()
}

/// The headers for an HTTP upstream: what was to be copied, the service's name.
fn request_headers(
    path: &CheckPath<'_>,
    protocol: &Protocol,
    from: &HeaderMap,
    config: &Config,
) -> Headers {
    let mut headers = Headers::default();
    // The other protocols send none.
    if !matches!(protocol.request, Request::Whole) {
        return headers;
    }

    copy_headers(from, config, &mut headers);
    // After the copied ones: a poller must not pretend to check another service.
    if let Some(own) = &config.probe.service_name_header
        && let Ok(value) = HeaderValue::from_str(path.service.as_str())
    {
        headers.set(own.name.clone(), value);
    }

    headers
}

fn copy_headers(from: &HeaderMap, config: &Config, headers: &mut Headers) {
    for Header { name, .. } in &config.probe.http_headers_to_copy {
        if let Some(value) = copied(from, name) {
            headers.set(name.clone(), value);
        }
    }
}

/// All values of a header as one; a copy, as the value itself would keep all that was read with it.
fn copied(from: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let values = from.get_all(name).iter().map(HeaderValue::as_bytes);
    let values: Vec<&[u8]> = values.collect();
    if values.is_empty() {
        return None;
    }

    // Repeated fields are one with commas, in the order they came in (RFC 9110 section 5.3).
    HeaderValue::from_bytes(&values.join(&b", "[..])).ok()
}

/// HAProxy sends an empty port for a unix socket and 0 for a server without one; the path's port counts then.
fn port(path: &CheckPath<'_>, said: &Said<'_>) -> Result<Option<u16>, Outcome> {
    let text = match said.port {
        None | Some("" | "0") => return Ok(None),
        Some(text) => text,
    };

    match parse_port(text) {
        Ok(port) => Ok(Some(port)),
        Err(e) => Err(refused(path, format!("X-Haproxy-Server-State: {e}"))),
    }
}

#[cfg(test)]
mod tests;
