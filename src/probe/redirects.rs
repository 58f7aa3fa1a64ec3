//! Following redirects of HTTP checks, where `compat` says so.
//!
//! Rules: a redirect leads only where a poller's header could: what it names is no part of the configuration. What is
//! meant for one place alone (logins, cookies, headers of its rule) does not go to another. The probe's one deadline
//! is for all requests together.

use hyper::Method;
use hyper::header::{AUTHORIZATION, COOKIE, HOST, HeaderName, HeaderValue, LOCATION};

use super::cookies::Cookies;
use super::http;
use super::url::Url;
use super::{Compat, Headers, Outcome, Probe, Protocol, Target};
use crate::http::client::UpstreamResponse;
use crate::net::Host;

/// Follows the redirects of an answer; gives the first answer that is none, or the one at which the limit is reached.
pub(super) async fn follow(
    probe: &Probe<'_>,
    method: &Method,
    headers: &Headers,
    mut answer: UpstreamResponse,
) -> Result<UpstreamResponse, Outcome> {
    let compat = probe.context.settings.compat;
    let mut url = url_of(probe, headers);
    // Each step may drop some: what is private is not for another place.
    let mut headers = headers.clone();
    let mut cookies = Cookies::default();
    for _ in 0..compat.redirects() {
        let Some(next) = next(&url, &answer) else {
            break;
        };
        // As Python's `requests` does; the client of Uber hacheck keeps none.
        if compat == Compat::Heartbeat {
            cookies.take(&url, &answer.headers);
        }

        headers = carried(&headers, &url, &next);
        if let Some(cookie) = cookies.of(&next) {
            headers.set(COOKIE, cookie);
        }

        // Where it leads nowhere that can be probed, the redirect itself is the answer.
        let Some((protocol, target)) = step(probe, &next, &headers) else {
            break;
        };

        note_redirect(probe, &next);
        let redirected = probe.redirected(protocol, &target);
        answer = http::ask_once(&redirected, method.clone(), &target.path, &headers).await?;
        url = next;
    }

    Ok(answer)
}

fn note_redirect(probe: &Probe<'_>, next: &Url) {
    let text = || format!("redirected to {}{}", next.authority(), next.path);
    probe.trace.note(text);
}

/// What was asked first.
fn url_of(probe: &Probe<'_>, headers: &Headers) -> Url {
    let target = probe.target;
    let host = match host_header(headers) {
        // heartbeat's own header is the name that its file has; a poller's is not where the check went.
        Some(host) if probe.context.settings.compat == Compat::Heartbeat => {
            let port = format!(":{}", target.port);
            host.strip_suffix(&port).unwrap_or(host).to_owned()
        }
        _ => target.host.to_string(),
    };

    Url {
        https: probe.protocol.name == "https",
        host,
        port: target.port,
        path: target.path.to_string(),
    }
}

fn host_header(headers: &Headers) -> Option<&str> {
    headers.get(&HOST)?.to_str().ok()
}

/// Where an answer redirects to.
fn next(url: &Url, answer: &UpstreamResponse) -> Option<Url> {
    match answer.status.as_u16() {
        301 | 302 | 303 | 307 | 308 => url.join(answer.headers.get(LOCATION)?.as_bytes()),
        _ => None,
    }
}

/// The headers that go with the next request, with the `Host` of its own.
fn carried(headers: &Headers, from: &Url, to: &Url) -> Headers {
    let mut carried = Headers::default();
    let stays = from.is_same_place(to);
    for (name, value) in headers.iter() {
        if !is_of_one_request(name) && (stays || !is_private(name, value)) {
            carried.set(name.clone(), value.clone());
        }
    }

    if let Ok(host) = HeaderValue::try_from(to.authority()) {
        carried.set(HOST, host);
    }

    carried
}

/// Made anew for each request.
fn is_of_one_request(name: &HeaderName) -> bool {
    *name == HOST || *name == COOKIE
}

fn is_private(name: &HeaderName, value: &HeaderValue) -> bool {
    *name == AUTHORIZATION || value.is_sensitive()
}

/// What is probed next; none where the URL has no host that could be.
fn step(probe: &Probe<'_>, url: &Url, headers: &Headers) -> Option<(&'static Protocol, Target)> {
    let protocol = Protocol::find(if url.https { "https" } else { "http" })?;
    let host = Host::parse(&url.host).ok()?;
    let target = Target {
        host,
        port: url.port,
        path: url.path.as_str().into(),
        headers: headers.clone(),
        // A server chose this place, and no configuration: the limits of requests hold.
        trusted: false,
        ..Target::clone(probe.target)
    };
    Some((protocol, target))
}
