//! From method and path to what is asked for. Pure.
//!
//! Rule: the paths are those of the originals, matched before percent-decoding: a service name is letters, digits,
//! `.`, `_` and `-`, a port is decimal digits.

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::refusal::Refusal;
use crate::probe::Protocol;
use crate::spool::{self, NameError, ServiceName};

/// What a request asks for.
#[derive(Debug)]
pub(crate) enum Route<'a> {
    /// `/<protocol>/<service>/<port>/<query>`.
    Check(CheckPath<'a>),
    /// `POST /spool/<service>/<port>`.
    SpoolChange(ServiceName, u16),
    /// A page about the daemon.
    Page(PageName),
    /// `/healthz`.
    Health,
}

/// The pages, by their paths.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PageName {
    Status,
    Count,
    Recent,
    Pollers,
    PollersHealth,
    Mutornadomon,
    Metrics,
    /// `/overview`.
    Overview,
    /// `/downtimes`.
    Downtimes,
    /// `/ui`.
    Ui,
    /// `/ui.js`.
    UiScript,
    /// `/ui.css`.
    UiStyle,
}

/// A check, as the path names it.
#[derive(Debug)]
pub(crate) struct CheckPath<'a> {
    /// How to probe; `None` is `spool`.
    pub protocol: Option<&'static Protocol>,
    /// The service.
    pub service: ServiceName,
    /// The port; `None` when it is above 65535, which may still be replaced by HAProxy's header.
    pub port: Option<u16>,
    /// What comes behind the port, without the slash there.
    pub rest: &'a str,
    /// The query string.
    pub query: Option<&'a str>,
}

/// The word that stands in place of a protocol where downtimes alone are asked for.
pub(crate) const SPOOL: &str = "spool";

/// Longest word that counts as a slip in a protocol's name, in bytes.
const PROTOCOL_MAX: usize = 32;

const READ: &str = "GET, HEAD, OPTIONS";
const READ_AND_POST: &str = "GET, HEAD, OPTIONS, POST";

/// Finds the route.
///
/// # Errors
/// [`Refusal`] when there is none.
pub(crate) fn parse<'a>(
    method: &Method,
    path: &'a str,
    query: Option<&'a str>,
) -> Result<Route<'a>, Refusal> {
    let route = match page(path) {
        Some(page) => Route::Page(page),
        None if path == "/healthz" => Route::Health,
        None => return checking(method, check(path, query)?),
    };

    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => Ok(route),
        _ => Err(Refusal::Method(READ)),
    }
}

fn page(path: &str) -> Option<PageName> {
    let page = match path {
        "/status" => PageName::Status,
        "/status/count" => PageName::Count,
        "/recent" => PageName::Recent,
        "/pollers" => PageName::Pollers,
        "/pollers/health" => PageName::PollersHealth,
        "/mutornadomon" => PageName::Mutornadomon,
        "/metrics" => PageName::Metrics,
        "/overview" => PageName::Overview,
        "/downtimes" => PageName::Downtimes,
        "/ui" => PageName::Ui,
        "/ui.js" => PageName::UiScript,
        "/ui.css" => PageName::UiStyle,
        _ => return None,
    };
    Some(page)
}

fn checking<'a>(method: &Method, check: CheckPath<'a>) -> Result<Route<'a>, Refusal> {
    let is_spool = check.protocol.is_none();
    match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => reading(check),
        Method::POST if is_spool => {
            // A file needs a port that is one; no header replaces it here.
            let port = check.port.ok_or(Refusal::Port)?;
            Ok(Route::SpoolChange(check.service, port))
        }
        _ if is_spool => Err(Refusal::Method(READ_AND_POST)),
        _ => Err(Refusal::Method(READ)),
    }
}

/// A spool check needs a port that a spool file can have; a probe says itself what is wrong with the port.
fn reading(check: CheckPath<'_>) -> Result<Route<'_>, Refusal> {
    match (check.protocol, check.port) {
        (None, None) => Err(Refusal::Port),
        _ => Ok(Route::Check(check)),
    }
}

/// Finds the check that a path names.
///
/// # Errors
/// [`Refusal`] when it names none.
pub(crate) fn check<'a>(path: &'a str, query: Option<&'a str>) -> Result<CheckPath<'a>, Refusal> {
    let (protocol, service, rest) = parts(path).ok_or(Refusal::NotFound)?;
    let protocol = match protocol {
        SPOOL => None,
        name => Some(Protocol::find(name).ok_or_else(|| no_protocol(name, service, rest))?),
    };

    let needs_slash = protocol.is_some_and(|p| p.needs_slash);
    let (port, rest) = port_and_rest(rest, needs_slash).ok_or(Refusal::NotFound)?;
    Ok(CheckPath {
        protocol,
        service: service_name(service)?,
        // Digits only, so what does not parse is above 65535.
        port: port.parse().ok(),
        rest,
        query,
    })
}

/// Protocol and service, and what follows the slash behind them.
fn parts(path: &str) -> Option<(&str, &str, &str)> {
    let (protocol, path) = path.strip_prefix('/')?.split_once('/')?;
    let (service, rest) = path.split_once('/')?;
    Some((protocol, service, rest))
}

/// What would be a check by another protocol is told so; all else is no path.
fn no_protocol(name: &str, service: &str, rest: &str) -> Refusal {
    let is_word = name.len() <= PROTOCOL_MAX && name.bytes().all(is_of_protocol);
    let has_port = port_and_rest(rest, false).is_some();
    match is_word && !name.is_empty() && spool::fits_url(service) && has_port {
        true => Refusal::Protocol(name.to_owned()),
        false => Refusal::NotFound,
    }
}

fn is_of_protocol(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The digits of the port, and what follows the slash behind it.
fn port_and_rest(text: &str, needs_slash: bool) -> Option<(&str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (port, rest) = text.split_at(digits);
    if port.is_empty() {
        return None;
    }

    match rest.strip_prefix('/') {
        Some(rest) => Some((port, rest)),
        None if rest.is_empty() && !needs_slash => Some((port, rest)),
        // Digits with something behind them, such as `80abc`, are no port.
        None => None,
    }
}

/// A name of characters that the originals' routes do not take is no path of ours (404); one that could not be a
/// spool file, even behind percent-encoding, is a fault of the request (400).
fn service_name(text: &str) -> Result<ServiceName, Refusal> {
    if text.is_empty() {
        return Err(Refusal::NotFound);
    }

    if spool::fits_url(text) {
        return ServiceName::parse(text).map_err(Refusal::Name);
    }

    // Decoded only to say what is wrong: no path that needs it is taken.
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    Err(unfit(&decoded))
}

fn unfit(name: &str) -> Refusal {
    match ServiceName::parse(name) {
        Err(NameError::Character(c)) if !c.is_control() && c != '/' => Refusal::NotFound,
        Err(e) => Refusal::Name(e),
        Ok(_) => Refusal::NotFound,
    }
}

#[cfg(test)]
mod tests;
