//! The host that a request is for, as its sender names it. A browser is led to a private address by whoever owns a name (DNS
//! rebinding), so for pages the name counts.

use std::net::{IpAddr, Ipv6Addr};

use hyper::header::HOST;
use hyper::http::request::Parts;

use crate::os::host_names::HostNames;

/// The host that a request names, without its port. A browser always names one.
pub(crate) fn named_host(request: &Parts) -> Option<&str> {
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

/// A name without the root's dot, with which it may end (RFC 1034 section 3.1).
pub(crate) fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether a host is an address, which no name server can lead elsewhere, or a name of this host.
pub(crate) fn is_this_host(host: &str, own: &HostNames) -> bool {
    let name = without_dot(host);
    is_address(host) || name.eq_ignore_ascii_case("localhost") || own.has(name)
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
    fn a_name_of_another_host_is_not_this_one() {
        let own = HostNames::of("web01", "", "");
        for host in ["10.0.0.1", "[::1]", "::1", "LOCALHOST.", "web01", "Web01."] {
            assert!(is_this_host(host, &own), "{host}");
        }
        for host in [
            "",
            "?",
            "evil.example",
            "10.0.0.1.evil.example",
            "web01.evil.example",
        ] {
            assert!(!is_this_host(host, &own), "{host}");
        }
    }
}
