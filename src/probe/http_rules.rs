//! `http` and `https` for services with a rule: the answer must be as the configuration says.
//!
//! Rule: 200 with the upstream's body when everything holds, else 503 that names the first thing that does not.

use hyper::Method;
use hyper::header::HeaderValue;

use super::{Headers, HttpRule, Outcome, Probe, http};
use crate::http::client::UpstreamResponse;

/// How far bodies are searched, in bytes.
const SEARCHED: usize = 64 << 10;

/// Asks as the rule says and judges the answer by it.
pub(super) async fn check(probe: &Probe<'_>, rule: &HttpRule) -> Outcome {
    // The rule's own ones win over what was copied from the poller.
    let headers = request_headers(probe, rule);
    let method = rule.method.unwrap_or("GET").parse();
    // Those that the configuration takes all parse.
    let method = method.unwrap_or(Method::GET);
    let answer = match http::ask(probe, method, &probe.target.path, &headers).await {
        Ok(answer) => answer,
        Err(failed) => return failed,
    };

    match broken(rule, &answer) {
        None => Outcome {
            body: answer.body,
            ours: false,
            ..Outcome::healthy("")
        },
        Some(what) => probe.failed(format_args!("http: {what}")),
    }
}

/// Those of the poller, and in place of some the rule's own.
fn request_headers(probe: &Probe<'_>, rule: &HttpRule) -> Headers {
    let mut headers = probe.target.headers.clone();
    for (header, value) in rule.request_headers() {
        // The configuration holds only values that a header can have.
        if let Ok(mut value) = HeaderValue::from_str(value.reveal()) {
            // By this mark a redirect knows what must not go to another place.
            value.set_sensitive(true);
            headers.set(header.name.clone(), value);
        }
    }

    headers
}

/// What does not hold.
fn broken(rule: &HttpRule, answer: &UpstreamResponse) -> Option<String> {
    let status = answer.status;
    if !rule.passes(status.as_u16()) {
        return Some(format!("status {status} is not one of those allowed"));
    }

    let body = &answer.body[..answer.body.len().min(SEARCHED)];
    without_text(rule, body).or_else(|| without_match(rule, body))
}

fn without_text(rule: &HttpRule, body: &[u8]) -> Option<String> {
    let text = rule.body_contains.as_ref()?;
    if contains(body, text.as_bytes()) {
        return None;
    }

    let text = text.escape_debug();
    Some(format!("the body does not contain '{text}'"))
}

fn without_match(rule: &HttpRule, body: &[u8]) -> Option<String> {
    let pattern = rule.body_regex.as_ref()?;
    if pattern.matches(body) {
        return None;
    }

    let text = pattern.text().escape_debug();
    Some(format!("the body does not match '{text}'"))
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|w| w == text)
}
