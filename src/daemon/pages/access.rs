//! Who may see the page of this host. A browser is led to a private address by whoever owns a name (DNS rebinding), so
//! the name that it asks by counts too. Checks, `/metrics` and `/status` look at neither.

use std::net::{IpAddr, Ipv6Addr};

use hyper::StatusCode;
use hyper::header::HOST;
use hyper::http::request::Parts;

use super::DaemonState;
use crate::config::DaemonSettings;
use crate::daemon::this_host::is_page_host;
use crate::http::reply::{self, Reply};
use crate::names::text::shown;
use crate::net::Network;
use crate::os::host_names::HostNames;

/// Most of a host name that a refusal repeats, in characters.
const NAME_MAX: usize = 100;

/// The answer to somebody who may not see the page; `None` to all others.
pub(super) fn refused(state: &DaemonState, from: IpAddr, request: &Parts) -> Option<Reply> {
    let live = state.live();
    let settings = &live.config.daemon;
    if let Some(refused) = refused_address(settings, from) {
        return Some(refused);
    }
    match named_host(request) {
        Some(host) if !is_ours(host, &live.host, &settings.page_hosts) => Some(not_ours(host)),
        // Without a name it is no browser, and so nobody was led here.
        _ => None,
    }
}

fn refused_address(settings: &DaemonSettings, from: IpAddr) -> Option<Reply> {
    if Network::any_contains(&settings.page_from, from) {
        return None;
    }
    // Nobody may, so who asks does not matter: as if there were no page.
    if settings.page_from.is_empty() {
        let text = "the page is switched off: page_from is empty\n";
        return Some(reply::text(StatusCode::NOT_FOUND, text));
    }
    let text = format!("{from} may not see this page: see page_from\n");
    Some(reply::text(StatusCode::FORBIDDEN, text))
}

fn not_ours(host: &str) -> Reply {
    let host = shown(host, NAME_MAX);
    let text = format!(
        "'{host}' is no name of this host: ask by an address, or add the name to page_hosts\n"
    );
    reply::text(StatusCode::FORBIDDEN, text)
}

/// The host that a request names, without its port. A browser always names one.
fn named_host(request: &Parts) -> Option<&str> {
    match request.headers.get(HOST) {
        // What is no text is no name of this host either.
        Some(host) => Some(without_port(host.to_str().unwrap_or("?"))),
        // HTTP/2 has it in the address (RFC 9113 section 8.3.1).
        None => Some(without_port(request.uri.authority()?.as_str())),
    }
}

fn without_port(named: &str) -> &str {
    // Without brackets, as some tools write it: the last group of the address is no port.
    if is_bare_ipv6(named) {
        return named;
    }
    match named.rsplit_once(':') {
        Some((host, port)) if is_number(port) => host,
        _ => named,
    }
}

fn is_bare_ipv6(named: &str) -> bool {
    named.parse::<Ipv6Addr>().is_ok()
}

fn is_number(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a host is an address, which no name server can lead elsewhere, or a name of this host.
fn is_ours(host: &str, own: &HostNames, page_hosts: &[String]) -> bool {
    // A name may end with the root's dot (RFC 1034 section 3.1).
    let name = host.strip_suffix('.').unwrap_or(host);
    is_address(host)
        || name.eq_ignore_ascii_case("localhost")
        || own.has(name)
        || is_page_host(page_hosts, name)
}

fn is_address(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
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
