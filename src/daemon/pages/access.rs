//! Who may see the page of this host. A browser is led to a private address by whoever owns a name (DNS rebinding), so
//! the name that it asks by counts too. Checks, `/metrics` and `/status` look at neither.

use std::net::{IpAddr, Ipv6Addr};

use hyper::StatusCode;
use hyper::header::HOST;
use hyper::http::request::Parts;

use super::DaemonState;
use crate::daemon::this_host::is_page_host;
use crate::http::reply::{self, Reply};
use crate::names::text::shown;
use crate::os::host_names::HostNames;

/// Most of a host name that a refusal repeats, in characters.
const NAME_MAX: usize = 100;

/// The answer to somebody who may not see the page; `None` to all others.
pub(super) fn refused(state: &DaemonState, from: IpAddr, request: &Parts) -> Option<Reply> {
    let live = state.live();
    let settings = &live.config.daemon;
    if settings.page_from.is_empty() {
        let text = "the page is switched off: page_from is empty\n";
        return Some(reply::text(StatusCode::NOT_FOUND, text));
    }
    if !settings.page_from.iter().any(|n| n.contains(from)) {
        let text = format!("{from} may not see this page: see page_from\n");
        return Some(reply::text(StatusCode::FORBIDDEN, text));
    }
    let host = named_host(request)?;
    if is_ours(host, &live.host, &settings.page_hosts) {
        return None;
    }
    let host = shown(host, NAME_MAX);
    let text = format!(
        "'{host}' is no name of this host: ask by an address, or add the name to page_hosts\n"
    );
    Some(reply::text(StatusCode::FORBIDDEN, text))
}

/// The host that a request names, without its port. A browser always names one.
fn named_host(request: &Parts) -> Option<&str> {
    let header = request
        .headers
        .get(HOST)
        .map(|host| host.to_str().unwrap_or("?"));
    let named = header.or(request
        .uri
        .authority()
        .map(hyper::http::uri::Authority::as_str))?;
    Some(without_port(named))
}

fn without_port(named: &str) -> &str {
    match named.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !is_bare_ipv6(named) => {
            host
        }
        _ => named,
    }
}

fn is_bare_ipv6(named: &str) -> bool {
    named.parse::<Ipv6Addr>().is_ok()
}

/// Whether a host is an address, which no name server can lead elsewhere, or a name of this host.
fn is_ours(host: &str, own: &HostNames, page_hosts: &[String]) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.strip_suffix('.').unwrap_or(host);
    bare.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || own.has(name)
        || is_page_host(page_hosts, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_request_is_without_its_port() {
        for (named, host) in [
            ("web01:3333", "web01"),
            ("web01", "web01"),
            ("10.0.0.1:80", "10.0.0.1"),
            ("[::1]:3333", "[::1]"),
            ("::1", "::1"),
            ("web01:http", "web01:http"),
        ] {
            assert_eq!(without_port(named), host);
        }
    }

    #[test]
    fn a_name_that_is_not_listed_is_not_ours() {
        let own = HostNames::of("web01", "", "");
        let listed = [".corp.example".to_owned(), "status.example".to_owned()];
        for host in [
            "10.0.0.1",
            "[::1]",
            "::1",
            "localhost",
            "LOCALHOST.",
            "web01",
            "Web01.",
            "a.corp.example",
            "a.b.CORP.example",
            "status.example",
        ] {
            assert!(is_ours(host, &own, &listed), "{host}");
        }
        for host in [
            "",
            "?",
            "evil.example",
            "corp.example",
            ".corp.example",
            "acorp.example",
            "a.status.example",
            "localhost.evil.example",
            "10.0.0.1.evil.example",
            "web01.evil.example",
        ] {
            assert!(!is_ours(host, &own, &listed), "{host}");
        }
    }
}
