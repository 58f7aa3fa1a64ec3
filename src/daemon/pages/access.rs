//! Who may see the page of this host. A browser is led to a private address by whoever owns a name (DNS rebinding), so
//! the name that it asks by counts too. Checks, `/metrics` and `/status` look at neither.

use std::net::IpAddr;

use hyper::StatusCode;
use hyper::http::request::Parts;

use super::DaemonState;
use crate::config::DaemonSettings;
use crate::daemon::this_host::is_page_host;
use crate::http::named_host::{is_this_host, named_host, without_dot};
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

/// Whether a host is this one, or a name that `page_hosts` adds.
fn is_ours(host: &str, own: &HostNames, page_hosts: &[String]) -> bool {
    is_this_host(host, own) || is_page_host(page_hosts, without_dot(host))
}

#[cfg(test)]
mod tests {
    use super::*;

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
