//! `http` and `https`: one GET; status and body of the answer are passed on.

use std::future::Future;
use std::pin::Pin;

use hyper::header::{HOST, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{AGENT, Outcome, Probe, Protocol, Request, http_rules, stream, tls};
use crate::http::client::{self, Answer};

/// The row of `http`.
pub(super) const HTTP: Protocol = Protocol {
    name: "http",
    needs_slash: true,
    request: Request::Whole,
    keyed_by_service: false,
    default_port: Some(80),
    bare_timeout: false,
    probe: |probe| Box::pin(check(probe)),
};

/// The row of `https`.
pub(super) const HTTPS: Protocol =
    Protocol { name: "https", default_port: Some(443), probe: |probe| Box::pin(check(probe)), ..HTTP };

async fn check(probe: &Probe<'_>) -> Outcome {
    if let Some(rule) = probe.context.config.http_rules.get(&*probe.target.service) {
        return http_rules::check(probe, rule).await;
    }
    match get(probe, &probe.target.path, &probe.target.headers.to_map()).await {
        Ok(answer) => outcome(answer),
        Err(failed) => failed,
    }
}

/// Gets a path from the target, over TLS if the protocol's name ends in `s`.
pub(super) fn get<'a>(
    probe: &'a Probe<'a>,
    path: &'a str,
    headers: &'a HeaderMap,
) -> Pin<Box<dyn Future<Output = Result<Answer, Outcome>> + Send + 'a>> {
    ask(probe, Method::GET, path, headers)
}

/// [`get`] by another method.
pub(super) fn ask<'a>(
    probe: &'a Probe<'a>,
    method: Method,
    path: &'a str,
    headers: &'a HeaderMap,
) -> Pin<Box<dyn Future<Output = Result<Answer, Outcome>> + Send + 'a>> {
    Box::pin(async move {
        let tcp = stream::connect(probe).await?;
        if probe.protocol.name == "https" {
            exchange(probe, tls::wrap(probe, tcp).await?, method, path, headers).await
        } else {
            exchange(probe, tcp, method, path, headers).await
        }
    })
}

async fn exchange<S>(
    probe: &Probe<'_>,
    stream: S,
    method: Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<Answer, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let target = probe.target;
    let mut headers = headers.clone();
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    if !headers.contains_key(HOST) {
        let host = HeaderValue::try_from(format!("{}:{}", target.host, target.port));
        headers.insert(HOST, host.map_err(|e| probe.failed(e))?);
    }
    probe.trace.stage("waiting for the answer");
    let answer = client::ask(stream, method, path, headers, probe.context.config.max_body).await;
    answer.map_err(|e| probe.failed(e)).inspect(|a| {
        probe.trace.note(|| format!("answered {} with {} bytes", a.status, a.body.len()));
    })
}

/// 200 and every registered status above it pass as they are, with the body; anything else is 503.
pub(super) fn outcome(answer: Answer) -> Outcome {
    let status = answer.status;
    let passes = status.as_u16() >= 200 && status.canonical_reason().is_some();
    let relayed = Outcome { body: answer.body, ours: false, ..Outcome::new(status, "") };
    if passes {
        return relayed;
    }
    Outcome { status: StatusCode::SERVICE_UNAVAILABLE, ..relayed }.because(format!("the upstream answered {status}"))
}
