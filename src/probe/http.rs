//! `http` and `https`: one GET; status and body of the answer are passed on.

use std::iter;

use hyper::header::{HOST, HeaderValue, InvalidHeaderValue, USER_AGENT};
use hyper::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{AGENT, Headers, Outcome, Probe, Protocol, Request, http_rules, stream, tls};
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
pub(super) const HTTPS: Protocol = Protocol {
    name: "https",
    default_port: Some(443),
    probe: |probe| Box::pin(check(probe)),
    ..HTTP
};

async fn check(probe: &Probe<'_>) -> Outcome {
    if let Some(rule) = probe
        .context
        .settings
        .http_rules
        .get(&*probe.target.service)
    {
        // Larger than the other, and rarer; so below.
        return Box::pin(http_rules::check(probe, rule)).await;
    }
    match ask(
        probe,
        &Method::GET,
        &probe.target.path,
        &probe.target.headers,
    )
    .await
    {
        Ok(answer) => outcome(answer),
        Err(failed) => failed,
    }
}

/// Asks the target for a path, over TLS if the protocol's name ends in `s`.
pub(super) async fn ask(
    probe: &Probe<'_>,
    method: &Method,
    path: &str,
    headers: &Headers,
) -> Result<Answer, Outcome> {
    let request = request(probe, method, path, headers)?;
    if probe.protocol.name == "https" {
        return Box::pin(async {
            let tcp = stream::connect(probe).await?;
            exchange(probe, &mut tls::wrap(probe, tcp).await?, &request, 0).await
        })
        .await;
    }
    let (mut tcp, sent) = stream::connect_saying(probe, request.bytes()).await?;
    exchange(probe, &mut tcp, &request, sent).await
}

fn request(
    probe: &Probe<'_>,
    method: &Method,
    path: &str,
    headers: &Headers,
) -> Result<client::Request, Outcome> {
    let given = headers
        .get(&HOST)
        .cloned()
        .map_or_else(|| own_host(probe), Ok);
    let host = given.map_err(|e| probe.failed(e))?;
    let agent = HeaderValue::from_static(AGENT);
    let agent = headers
        .get(&USER_AGENT)
        .is_none()
        .then_some((&USER_AGENT, &agent));
    let others = headers.iter().filter(|(name, _)| **name != HOST);
    let headers = iter::once((&HOST, &host)).chain(others).chain(agent);
    client::Request::new(method, path, headers).map_err(|e| probe.failed(e))
}

fn own_host(probe: &Probe<'_>) -> Result<HeaderValue, InvalidHeaderValue> {
    HeaderValue::try_from(format!("{}:{}", probe.target.host, probe.target.port))
}

async fn exchange<S>(
    probe: &Probe<'_>,
    stream: &mut S,
    request: &client::Request,
    sent: usize,
) -> Result<Answer, Outcome>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    probe.trace.stage("waiting for the answer");
    let answer = request
        .ask(stream, sent, probe.context.settings.max_body)
        .await;
    answer.map_err(|e| probe.failed(e)).inspect(|a| {
        probe
            .trace
            .note(|| format!("answered {} with {} bytes", a.status, a.body.len()));
    })
}

/// 200 and every registered status above it pass as they are, with the body; anything else is 503.
pub(super) fn outcome(answer: Answer) -> Outcome {
    let status = answer.status;
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
