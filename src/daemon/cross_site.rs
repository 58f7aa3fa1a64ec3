//! Whether a web page of another site made a browser send a request. The browser itself says so, by `Origin` (Fetch
//! Standard, section 3.2) and `Sec-Fetch-Site` (Fetch Metadata); tools say neither.
//!
//! Rule: an origin is compared with what this host knows of itself, and with `page_hosts`, never with the `Host` header: a
//! page whose name was pointed here (DNS rebinding) has the same in both.

use hyper::header::{HeaderMap, HeaderValue, ORIGIN};

use super::this_host::{ThisHost, is_page_host};
use crate::http::named_host::without_dot;
use crate::net::Host;
use crate::spool::parse_port;

const SITE: &str = "sec-fetch-site";

/// Whether a request is one of another site's page.
pub(super) fn is_foreign(
    headers: &HeaderMap,
    this_host: ThisHost<'_>,
    page_hosts: &[String],
) -> bool {
    let mut origins = headers.get_all(ORIGIN).iter();
    let mut sites = headers.get_all(SITE).iter();
    let is_ours = |origin| is_own(origin, this_host, page_hosts);
    // Of repeated headers one that is foreign is enough: which of them a browser meant, nobody can tell.
    origins.any(|origin| !is_ours(origin)) || sites.any(|site| !is_same_site(site))
}

/// `none` is what a person does without a page, such as typing an address.
fn is_same_site(site: &HeaderValue) -> bool {
    matches!(site.as_bytes(), b"same-origin" | b"none")
}

/// Whether an origin is this daemon, by any of its names, addresses and ports, or a proxy before it: one of `page_hosts`,
/// on a port of this daemon or the usual one. `null`, which pages in a sandbox send, is nobody's.
fn is_own(origin: &HeaderValue, this_host: ThisHost<'_>, page_hosts: &[String]) -> bool {
    // An origin that does not parse is nobody's, and so foreign.
    let Some(origin) = origin.to_str().ok().and_then(parsed) else {
        return false;
    };

    let is_our_port = this_host.addresses.listeners.has_port(origin.port);
    let is_direct = is_our_port && this_host.is(&origin.host);
    // A proxy before the page listens where it likes; that it is ours, its name says.
    let may_be_proxy = is_our_port || origin.is_usual_port;
    is_direct || may_be_proxy && is_proxy_name(&origin.host, page_hosts)
}

fn is_proxy_name(host: &Host, page_hosts: &[String]) -> bool {
    let Host::Name(name) = host else {
        return false;
    };

    is_page_host(page_hosts, without_dot(name))
}

/// Where a page came from.
struct Origin {
    host: Host,
    port: u16,
    /// The port is that of the scheme.
    is_usual_port: bool,
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        // Of a browser's extension, for example.
        _ => None,
    }
}

fn parsed(origin: &str) -> Option<Origin> {
    let (scheme, place) = origin.split_once("://")?;
    let usual_port = usual_port(scheme)?;
    let (host, port) = host_and_port(place);
    let port = match port {
        Some(port) => parse_port(port).ok()?,
        None => usual_port,
    };

    Some(Origin {
        host: Host::parse(host).ok()?,
        port,
        is_usual_port: port == usual_port,
    })
}

fn host_and_port(place: &str) -> (&str, Option<&str>) {
    match place.rsplit_once(':') {
        // The last colon of `[::1]` is a part of the address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (place, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::LocalAddresses;
    use crate::os::host_names::HostNames;

    fn this_host<'a>(names: &'a HostNames, addresses: &'a LocalAddresses) -> ThisHost<'a> {
        ThisHost { addresses, names }
    }

    fn foreign(headers: &[(&'static str, &str)]) -> bool {
        let names = HostNames::of("web01", "10.0.0.7 web01.shop.example web01\n", "");
        let own = LocalAddresses::known(&["10.0.0.7".parse().unwrap()], None);
        own.listeners.set(vec!["0.0.0.0:3333".parse().unwrap()]);
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect();
        let page_hosts = ["pages.proxy.example".into(), ".ops.example".into()];
        is_foreign(&headers, this_host(&names, &own), &page_hosts)
    }

    #[test]
    fn an_origin_of_a_proxy_in_page_hosts_is_this_daemons() {
        for origin in [
            "https://pages.proxy.example",
            "http://pages.proxy.example",
            "https://Pages.Proxy.example.",
            "https://web01.ops.example",
            "http://web01.ops.example:3333",
        ] {
            assert!(!foreign(&[("origin", origin)]), "{origin}");
        }
        for origin in [
            "https://pages.proxy.example:8443",
            "https://a.pages.proxy.example",
            "https://ops.example",
            "https://web01.ops.example.evil.example",
        ] {
            assert!(foreign(&[("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn a_request_without_a_word_of_a_browser_is_a_tools() {
        assert!(!foreign(&[]));
        assert!(!foreign(&[("user-agent", "Mozilla/5.0")]));
    }

    #[test]
    fn an_origin_of_this_host_and_port_is_this_daemons() {
        for origin in [
            "http://127.0.0.1:3333",
            "http://127.0.0.2:3333",
            "http://[::1]:3333",
            "http://localhost:3333",
            "http://web01:3333",
            "http://web01.shop.example:3333",
            "http://WEB01.shop.example.:3333",
            "http://10.0.0.7:3333",
            "https://10.0.0.7:3333",
        ] {
            assert!(!foreign(&[("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn any_other_origin_is_foreign_whatever_the_host_header_says() {
        for origin in [
            "",
            "null",
            "http://127.0.0.1",
            "http://127.0.0.1:8080",
            "http://10.0.0.8:3333",
            "http://0.0.0.0:3333",
            "http://pages.example:3333",
            "http://web01.evil.example:3333",
            "http://localhost.evil.example:3333",
            "http://user@127.0.0.1:3333",
            "http://127.0.0.1:3333/",
            "http://127.0.0.1:3333:3333",
            "http://127.0.0.1:3333 http://evil.example",
            "http://[::1]",
            "ftp://127.0.0.1:3333",
            "file://",
            "127.0.0.1:3333",
        ] {
            let port = origin.rsplit_once("//").map_or("", |(_, host)| host);
            assert!(foreign(&[("origin", origin), ("host", port)]), "{origin}");
        }
        let both = [
            ("origin", "http://127.0.0.1:3333"),
            ("origin", "http://pages.example"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in both {
            headers.append(name, value.parse().unwrap());
        }
        let own = LocalAddresses::known(&[], None);
        own.listeners.set(vec!["127.0.0.1:3333".parse().unwrap()]);
        let names = HostNames::of("", "", "");
        assert!(is_foreign(&headers, this_host(&names, &own), &[]));
    }

    #[test]
    fn what_the_browser_calls_the_site_counts_too() {
        for site in ["same-origin", "none"] {
            assert!(!foreign(&[(SITE, site)]), "{site}");
        }
        for site in ["cross-site", "same-site", "Cross-Site", "anything"] {
            let own_origin = ("origin", "http://127.0.0.1:3333");
            assert!(foreign(&[own_origin, (SITE, site)]), "{site}");
        }
    }
}
