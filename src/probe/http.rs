//! `http` and `https`: one GET; status and body of the answer are passed on.

use hyper::header::{
    AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
    USER_AGENT,
};
use hyper::{Method, StatusCode};

use super::connection::Connection;
use super::login::{Login, Travel};
use super::{
    AGENT, Headers, Outcome, Probe, ProbeSettings, Protocol, Request, http_rules, redirects, tls,
};
use crate::http::any_stream::AnyStream;
use crate::http::client::{self, BodilessRequest, ClientError, UpstreamResponse};
use crate::http::memory::BodyBuffer;

/// The row of `http`.
pub(super) const HTTP: Protocol = Protocol {
    name: "http",
    needs_slash: true,
    request: Request::Whole,
    keyed_by_service: false,
    default_port: Some(80),
    bare_timeout: false,
    login: |settings, service| login(settings, service, IN_CLEAR),
    probe: |probe| Box::pin(check(probe)),
};

/// The row of `https`.
pub(super) const HTTPS: Protocol = Protocol {
    name: "https",
    default_port: Some(443),
    login: |settings, service| {
        let travel = Travel::over_tls(settings.service(service));
        login(settings, service, travel)
    },
    probe: |probe| Box::pin(check(probe)),
    ..HTTP
};

/// Request headers that are credentials (RFC 9110 section 11, RFC 6265).
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];

const IN_CLEAR: Travel = Travel::InClear("ask by https, with tls_verify: true");

/// A login by a header of the service's rule. HTTP servers of a host have any port.
fn login(settings: &ProbeSettings, service: &str, travel: Travel) -> Option<Login> {
    let rule = settings.service(service).http()?;
    let mut names = rule
        .request_headers()
        .iter()
        .map(|(header, _)| &header.name);
    // Other headers are no secrets, and may go wherever a check goes.
    if !names.any(|name| CREDENTIALS.contains(name)) {
        return None;
    }
    Some(Login {
        password: Some("a credential of request_headers"),
        port: None,
        travel,
    })
}

/// The `Host` that a request has from the rule of its service, and not from a redirect.
fn host_of_rule(probe: &Probe<'_>, sent: &HeaderMap) -> Option<String> {
    let rule = probe.service().http()?;
    let mut headers = rule.request_headers().iter();
    let (_, value) = headers.find(|(header, _)| header.name == HOST)?;
    // After a redirect another one is sent, so what is sent is compared.
    let is_sent = sent.get(HOST)?.as_bytes() == value.reveal().as_bytes();
    is_sent.then(|| value.reveal().to_owned())
}

async fn check(probe: &Probe<'_>) -> Outcome {
    if let Some(rule) = probe.service().http() {
        // Larger than the other, and rarer; so below.
        return Box::pin(http_rules::check(probe, &rule)).await;
    }
    let target = probe.target;
    match ask(probe, Method::GET, &target.path, &target.headers).await {
        Ok(answer) => outcome(answer),
        Err(failed) => failed,
    }
}

/// Asks the target for a path, over TLS if the protocol's name ends in `s`, and follows redirects where `compat` says so.
pub(super) async fn ask(
    probe: &Probe<'_>,
    method: Method,
    path: &str,
    headers: &Headers,
) -> Result<UpstreamResponse, Outcome> {
    let is_safe = method.is_safe();
    let answer = ask_once(probe, method.clone(), path, headers).await?;
    // Only a safe method may be sent once more, to another place, without anybody's saying so (RFC 9110 section 9.2.1).
    if !is_safe || probe.context.settings.compat.redirects() == 0 {
        return Ok(answer);
    }
    // Larger than the other, and rarer; so in memory of its own.
    Box::pin(redirects::follow(probe, &method, headers, answer)).await
}

/// Asks once, and follows nothing.
pub(super) async fn ask_once(
    probe: &Probe<'_>,
    method: Method,
    path: &str,
    headers: &Headers,
) -> Result<UpstreamResponse, Outcome> {
    // What cannot be sent is known before anybody is connected to.
    let headers = request_headers(probe, headers)?;
    let request = probe.or_failed(client::request(method, path, headers))?;
    let connection = Connection::open(probe).await?;
    if probe.protocol.name == "https" {
        let host = host_of_rule(probe, request.headers());
        let tls = tls::wrap_http(probe, host.as_deref(), connection).await?;
        return exchange(probe, AnyStream::new(tls), request).await;
    }
    exchange(probe, AnyStream::new(connection), request).await
}

/// The headers that were given, with `Host` and `User-Agent` if they are not among them.
fn request_headers(probe: &Probe<'_>, given: &Headers) -> Result<HeaderMap, Outcome> {
    let mut headers = HeaderMap::with_capacity(4);
    // In front of the others, as RFC 9110 section 7.2 recommends.
    if given.get(&HOST).is_none() {
        headers.insert(HOST, host_header(probe)?);
    }
    for (name, value) in given.iter() {
        headers.insert(name, value.clone());
    }
    if given.get(&USER_AGENT).is_none() {
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    }
    Ok(headers)
}

fn host_header(probe: &Probe<'_>) -> Result<HeaderValue, Outcome> {
    let host = format!("{}:{}", probe.target.host, probe.target.port);
    probe.or_failed(HeaderValue::try_from(host))
}

async fn exchange(
    probe: &Probe<'_>,
    stream: AnyStream,
    request: BodilessRequest,
) -> Result<UpstreamResponse, Outcome> {
    probe.trace.stage("waiting for the answer");
    let body = BodyBuffer::new(probe.memory(), probe.context.settings.max_body);
    match client::ask(stream, request, body).await {
        Ok(answer) => {
            note_answer(probe, &answer);
            Ok(answer)
        }
        // No fault of the target, so it is told apart from what is one.
        Err(ClientError::Full(full)) => Err(probe.full(full)),
        Err(e) => Err(probe.failed(e)),
    }
}

fn note_answer(probe: &Probe<'_>, UpstreamResponse { status, body, .. }: &UpstreamResponse) {
    let length = body.len();
    let text = || format!("answered {status} with {length} bytes");
    probe.trace.note(text);
}

/// 200 and every registered status above it pass as they are, with the body; anything else is 503.
pub(super) fn outcome(answer: UpstreamResponse) -> Outcome {
    let status = answer.status;
    // Contract: only a status with a registered name goes to the poller.
    let passes = status.as_u16() >= 200 && status.canonical_reason().is_some();
    let relayed = Outcome {
        body: answer.body,
        ours: false,
        ..Outcome::new(status, "")
    };
    if passes {
        return relayed;
    }
    Outcome {
        status: StatusCode::SERVICE_UNAVAILABLE,
        ..relayed
    }
    .because(format!("the upstream answered {status}"))
}
