//! From route and headers to the target of a probe. Pure.
//!
//! HAProxy's `http-check send-state` tells the server's own address and port (see [`super::server_state`]), nerve tells
//! an address (`X-Nerve-Check-IP`); both win over the URL.
//!
//! Rule: a host is an address or a host name, nothing else of a header reaches a probe's address.

use std::net::IpAddr;

use hyper::header::{HeaderMap, HeaderValue};
use hyper::{StatusCode, Uri};

use super::route::Check;
use super::server_state::ServerState;
use crate::config::Config;
use crate::ledger::Stated;
use crate::net::Host;
use crate::probe::{Header, Headers, Outcome, Protocol, Request, Target};
use crate::spool::parse_port;

/// What headers say of a check.
#[derive(Debug)]
pub struct Asked {
    /// Host and port to check, or why not.
    pub place: Result<(Host, u16), Outcome>,
    /// The host as it was written, where one was named that is not refused.
    pub typed: Option<Box<str>>,
    /// What the balancer says of itself.
    pub stated: Stated,
    /// Neither a stored result nor a probe under way will do.
    pub fresh: bool,
    /// The balancer's node name.
    pub node: Option<Box<str>>,
    /// Its names of backend and server.
    pub server: Option<Box<str>>,
}

/// Which addresses are this host's own.
pub trait Own {
    /// The address of an interface.
    fn is_own(&self, address: IpAddr) -> bool;
    /// The address that this host's own name resolves to, which counts as 127.0.0.1.
    fn by_name(&self) -> Option<IpAddr>;
}

/// Reads the headers.
pub fn read(check: &Check<'_>, headers: &HeaderMap, own: &dyn Own) -> Asked {
    let state = ServerState::parse(headers);
    let port = match port(&state) {
        Ok(None) => check
            .port
            .ok_or_else(|| bad("the port in the path is above 65535")),
        Ok(Some(port)) => Ok(port),
        Err(bad) => Err(bad),
    };
    let place = port.and_then(|port| Ok((host(state.host, own)?, port)));
    let (node, server) = state.names();
    Asked {
        typed: state.host.filter(|_| place.is_ok()).map(Into::into),
        place: place.map_err(|refused| as_failure(check, refused)),
        stated: state.stated(),
        fresh: state.fresh,
        node,
        server,
    }
}

/// The target of a probe.
///
/// # Errors
/// The answer, where there is nothing to probe.
pub fn build(
    check: &Check<'_>,
    protocol: &Protocol,
    (host, port): (Host, u16),
    uri: &Uri,
    headers: &HeaderMap,
    config: &Config,
) -> Result<Target, Outcome> {
    // A service behind a unix socket has no port, nor has HAProxy one to tell.
    let needless = config.probe.sockets.contains_key(check.service.as_str());
    if port == 0 && !needless && protocol.needs_port() {
        return Err(Outcome::unavailable(
            "port 0 cannot be checked: neither the path nor HAProxy's header names one",
        ));
    }
    Ok(Target {
        service: check.service.shared(),
        host,
        port,
        path: path(check.rest, uri.query()),
        headers: request_headers(check, protocol, headers, config),
        limit: None,
        trusted: false,
    })
}

/// A port that cannot be is a failing check for a balancer that probes, as the originals' 5xx was.
fn as_failure(check: &Check<'_>, refused: Outcome) -> Outcome {
    if check.port.is_none() {
        Outcome {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..refused
        }
    } else {
        refused
    }
}

fn bad(text: impl Into<String>) -> Outcome {
    Outcome::new(StatusCode::BAD_REQUEST, text)
}

/// The host to check, from what a header names.
fn host(named: Option<&str>, own: &dyn Own) -> Result<Host, Outcome> {
    let Some(text) = named else {
        return Ok(Host::Local);
    };
    match Host::parse(text) {
        Ok(Host::Address(address)) if Some(address) == own.by_name() => Ok(Host::Local),
        Ok(host) => Ok(host),
        Err(_) => Err(bad(format!(
            "'{}' is not a host to check: give an address or a host name",
            text.escape_debug()
        ))),
    }
}

/// What the answer's path is asked for: as it came, still encoded.
fn path(rest: &str, query: Option<&str>) -> Box<str> {
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let (mark, query) = query
        .filter(|q| !q.is_empty())
        .map_or(("", ""), |query| ("?", query));
    let mut path = String::with_capacity(slash.len() + rest.len() + mark.len() + query.len());
    for part in [slash, rest, mark, query] {
        path.push_str(part);
    }
    path.into_boxed_str()
}

/// The headers for an HTTP upstream: what was to be copied, the service's name.
fn request_headers(
    check: &Check<'_>,
    protocol: &Protocol,
    from: &HeaderMap,
    config: &Config,
) -> Headers {
    let mut headers = Headers::default();
    if !matches!(protocol.request, Request::Whole) {
        return headers;
    }
    for Header { name, .. } in &config.probe.http_headers_to_copy {
        let mut values = from.get_all(name).iter();
        let value = match (values.next(), values.next()) {
            (None, _) => continue,
            // A copy: it would keep all that was read with it.
            (Some(only), None) => HeaderValue::from_bytes(only.as_bytes()),
            (Some(_), Some(_)) => {
                let all: Vec<&[u8]> = from
                    .get_all(name)
                    .iter()
                    .map(HeaderValue::as_bytes)
                    .collect();
                HeaderValue::from_bytes(&all.join(&b", "[..]))
            }
        };
        if let Ok(value) = value {
            headers.set(name.clone(), value);
        }
    }
    if let (Some(own), Ok(value)) = (
        &config.probe.service_name_header,
        HeaderValue::from_str(check.service.as_str()),
    ) {
        headers.set(own.name.clone(), value);
    }
    headers
}

/// HAProxy sends an empty port for a unix socket and 0 for a server without one; the path's port counts then.
fn port(state: &ServerState<'_>) -> Result<Option<u16>, Outcome> {
    match state.port {
        None | Some("" | "0") => Ok(None),
        Some(text) => match parse_port(text) {
            Ok(port) => Ok(Some(port)),
            Err(e) => Err(bad(format!("X-Haproxy-Server-State: {e}"))),
        },
    }
}

#[cfg(test)]
mod tests;
