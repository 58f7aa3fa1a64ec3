//! The policy, on one screen: the spool first, then the cache, then a probe.
//!
//! Rule: a downtime is answered at once and never cached; a probe runs in a task of its own, so that a poller that
//! hangs up does not cancel what others wait for.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::header::{HOST, HeaderValue};

use crate::cache::{self, Cache, Found};
use crate::probe::{self, Context, Outcome, Protocol, Request, Target, Trace};
use crate::spool::{Closed, Gate};

/// What a poller wants to know.
pub struct Question<'a> {
    /// How to probe; `None` asks the spool only.
    pub protocol: Option<&'static Protocol>,
    /// The service.
    pub service: &'a str,
    /// The spool entries that can take it down, besides `all`, in the order to ask.
    pub spool_names: &'a [String],
    /// Where to probe, or why that is refused.
    pub target: Result<Target, Outcome>,
    /// Neither a stored result nor a probe under way will do.
    pub fresh: bool,
}

/// What it is told.
pub enum Verdict {
    /// An operator took it down.
    Down(Closed),
    /// Nobody took it down, and nothing more was asked.
    NotDown,
    /// It may not or cannot be probed.
    Refused(Outcome),
    /// The result of a probe.
    Probed(Arc<Outcome>),
}

/// Told of each probe that was run: protocol, outcome, seconds.
pub type Observer = dyn Fn(&'static Protocol, &Outcome, f64) + Send + Sync;

/// The policy with its means.
pub struct Checker {
    gate: Gate,
    cache: Arc<Cache>,
    observer: Arc<Observer>,
}

impl Checker {
    /// Puts the means together.
    #[must_use]
    pub fn new(gate: Gate, cache: Arc<Cache>, observer: Arc<Observer>) -> Self {
        Self { gate, cache, observer }
    }

    /// The spool's side.
    #[must_use]
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// The results.
    #[must_use]
    pub fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Answers a question.
    pub async fn check(&self, question: Question<'_>, context: &Arc<Context>) -> Verdict {
        let names = question.spool_names.iter().map(String::as_str);
        if let Some(closed) = self.gate.ask(question.service, names) {
            return Verdict::Down(closed);
        }
        let Some(protocol) = question.protocol else { return Verdict::NotDown };
        let target = match question.target {
            Ok(target) => target,
            Err(refused) => return Verdict::Refused(refused),
        };
        let (key, without_host) = match keys(protocol, &target, context) {
            Ok(keys) => keys,
            Err(refused) => return Verdict::Refused(refused),
        };
        Verdict::Probed(match self.cache.find(&key, question.fresh) {
            Found::Result(outcome) => outcome,
            Found::Running(running) => running.outcome().await,
            Found::Begin(ticket, running) => {
                let (context, observer) = (Arc::clone(context), Arc::clone(&self.observer));
                let name = Some(context.name(&key));
                tokio::spawn(async move {
                    let start = Instant::now();
                    let outcome = probe::run_as(name, protocol, &target, &context, &Trace::start(false)).await;
                    observer(protocol, &outcome, start.elapsed().as_secs_f64());
                    ticket.deliver(outcome, without_host.as_ref());
                });
                running.outcome().await
            }
        })
    }
}

/// The cache key of a check; and the one of pollers who name no virtual host, where this one does.
fn keys(
    protocol: &'static Protocol,
    target: &Target,
    context: &Context,
) -> Result<(cache::Key, Option<cache::Key>), Outcome> {
    let by_service = protocol.keyed_by_service
        || context.config.service_name_header.is_some()
        || context.config.is_special(&target.service);
    let key = |request: Option<Box<str>>| cache::Key {
        protocol: protocol.name,
        host: target.host.clone(),
        port: target.port,
        service: by_service.then(|| target.service.clone()),
        request,
    };
    Ok(match protocol.request {
        Request::Ignored => (key(None), None),
        Request::Segment => (key(Some(target.segment().into())), None),
        Request::Options(read) => {
            let options = read(target.query());
            let options = options.map_err(|e| Outcome::bad_request(format!("{}: {e}", protocol.name)))?;
            (key(Some(options.into_boxed_str())), None)
        }
        Request::Whole => {
            let plain = key(Some(request(target, false)));
            if target.headers.get(HOST).is_some_and(names_virtual_host) {
                (key(Some(request(target, true))), Some(plain))
            } else {
                (plain, None)
            }
        }
    })
}

/// Path, query string and copied headers as one text.
fn request(target: &Target, with_host: bool) -> Box<str> {
    let mut text = String::from(&*target.path);
    for (name, value) in target.headers.iter().filter(|(name, _)| with_host || *name != HOST) {
        text.push('\n');
        text.push_str(name.as_str());
        text.push(':');
        text.extend(value.as_bytes().iter().map(|b| char::from(*b)));
    }
    text.into_boxed_str()
}

/// Whether a `Host` asks for a certain site. A balancer that was not told one sends the address that it connects to,
/// which differs from balancer to balancer and means nothing to the service.
fn names_virtual_host(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else { return true };
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    let is_address = bare.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok();
    let name = host.split_once(':').map_or(host, |(name, _)| name);
    !(is_address || name.is_empty() || name.eq_ignore_ascii_case("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::probe::Host;
    use crate::sys::LocalAddresses;

    fn key_of(protocol: &str, path: &str) -> Result<cache::Key, Outcome> {
        let context = Context::new(Arc::new(Config::default()), Arc::new(LocalAddresses::default())).unwrap();
        let headers = hyper::HeaderMap::new();
        let target =
            Target { service: "s".into(), host: Host::Local, port: 1, path: path.into(), headers, limit: None };
        keys(Protocol::find(protocol).unwrap(), &target, &context).map(|(key, _)| key)
    }

    #[test]
    fn a_made_up_request_cannot_multiply_probes_of_those_that_do_not_use_it() {
        for (protocol, a, b, same) in [
            ("tcp", "/a?b", "/c?d", true),
            ("http", "/a?b", "/a?c", false),
            ("mysql", "/a", "/b?", true),
            ("mysql", "/?max_lag=3&role=replica", "/x?role=replica&max_lag=03", true),
            ("mysql", "/?max_lag=3", "/?max_lag=4", false),
        ] {
            assert_eq!(key_of(protocol, a).unwrap() == key_of(protocol, b).unwrap(), same, "{protocol} {a} {b}");
        }
        assert_eq!(key_of("mysql", "/?x=1").unwrap_err().status, hyper::StatusCode::BAD_REQUEST);
    }

    #[test]
    fn an_address_is_no_virtual_host() {
        for host in ["", "127.0.0.1", "127.0.0.1:3333", "[::1]:3333", "[::1]", "::1", "localhost:80", "LOCALHOST"] {
            assert!(!names_virtual_host(&HeaderValue::from_static(host)), "{host}");
        }
        for host in ["a.example", "a.example:8080", "web", "1.2.3.4.example"] {
            assert!(names_virtual_host(&HeaderValue::from_static(host)), "{host}");
        }
    }
}
