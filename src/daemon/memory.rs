//! What a connection asked for last, and what was made of it: most ask for the same again.
//!
//! Rule: a request is known again by all that its check is made of: method, URL, headers and configuration; this host's
//! addresses are asked for each time, and the poller's is the connection's. So this saves time, and changes no answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Request;

use super::prepared::Prepared;
use super::target::Own;

/// Longest request that is remembered, in bytes: it is kept while the connection is.
const TEXT_MAX: usize = 512;

/// Of so many new requests of one connection, one is remembered: who asks for many things in turn gains nothing by it.
const SELDOM: u32 = 32;

/// The memory of one connection.
#[derive(Default)]
pub struct Memory(Mutex<Asked>);

#[derive(Default)]
struct Asked {
    /// Requests that were not known.
    new: u32,
    last: Option<Last>,
}

struct Last {
    text: Box<[u8]>,
    prepared: Arc<Prepared>,
}

impl Memory {
    /// What was made of the last request, if this is the same.
    pub fn recall<B>(
        &self,
        request: &Request<B>,
        configuration: u64,
        own: &dyn Own,
    ) -> Option<Arc<Prepared>> {
        let asked = self.asked();
        let last = asked
            .last
            .as_ref()
            .filter(|last| is(&last.text, request, configuration))?;
        last.prepared.holds(own).then(|| Arc::clone(&last.prepared))
    }

    /// Remembers what was made of a request; not of the first, which mostly is the only one.
    pub fn remember<B>(&self, request: &Request<B>, configuration: u64, prepared: &Arc<Prepared>) {
        let mut asked = self.asked();
        if asked.new == 1 || asked.new % SELDOM == SELDOM - 1 {
            let prepared = Arc::clone(prepared);
            asked.last = text(request, configuration).map(|text| Last { text, prepared });
        }
        asked.new = asked.new.wrapping_add(1);
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands out the parts of a request's text, until one is not taken. No two requests that differ have the same text: no
/// part holds what ends it.
fn parts<B>(
    request: &Request<B>,
    configuration: u64,
    mut take: impl FnMut(&[u8]) -> Option<()>,
) -> Option<()> {
    take(&configuration.to_ne_bytes())?;
    for part in [
        request.method().as_str(),
        "\n",
        request.uri().path_and_query()?.as_str(),
        "\n",
    ] {
        take(part.as_bytes())?;
    }
    for (name, value) in request.headers() {
        for part in [name.as_str().as_bytes(), b":", value.as_bytes(), b"\n"] {
            take(part)?;
        }
    }
    Some(())
}

/// The text of a request; `None` when it is long.
fn text<B>(request: &Request<B>, configuration: u64) -> Option<Box<[u8]>> {
    let mut text = Vec::with_capacity(TEXT_MAX);
    parts(request, configuration, |part| {
        text.extend_from_slice(part);
        (text.len() <= TEXT_MAX).then_some(())
    })?;
    Some(text.into())
}

/// Whether a request has this text.
fn is<B>(text: &[u8], request: &Request<B>, configuration: u64) -> bool {
    let mut rest = text;
    let all = parts(request, configuration, |part| {
        rest = rest.strip_prefix(part)?;
        Some(())
    });
    all.is_some() && rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn whatever_differs_makes_another_request() {
        let host = ("host", "a.test");
        let all = [
            request("GET", "/http/web/80/a", &[host]),
            request("HEAD", "/http/web/80/a", &[host]),
            request("GET", "/http/web/80/a?", &[host]),
            request("GET", "/http/web/80/a?b", &[host]),
            request("GET", "/http/web/80/a", &[]),
            request("GET", "/http/web/80/a", &[("host", "b.test")]),
            request("GET", "/http/web/80/a", &[host, host]),
            request("GET", "/http/web/80/a", &[host, ("x-a", "")]),
            request("GET", "/http/web/80/a", &[host, ("x-a", "1")]),
            request("GET", "/http/web/80/a", &[host, ("x-a", "1:2")]),
            request("GET", "/http/web/80/a", &[host, ("x-a", "1"), ("x-b", "2")]),
            request("GET", "/http/web/80/a", &[host, ("x-b", "2"), ("x-a", "1")]),
        ];
        for (i, a) in all.iter().enumerate() {
            let text = text(a, 7).unwrap();
            assert!(!is(&text, a, 8), "the configuration is another one");
            for (j, b) in all.iter().enumerate() {
                assert_eq!(is(&text, b, 7), i == j, "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn a_long_request_is_not_remembered() {
        assert!(
            text(
                &request("GET", &format!("/{}", "x".repeat(TEXT_MAX)), &[]),
                7
            )
            .is_none()
        );
        assert!(text(&request("GET", "/", &[("x-a", &"x".repeat(TEXT_MAX))]), 7).is_none());
    }
}
