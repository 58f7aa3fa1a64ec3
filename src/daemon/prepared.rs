//! What is made of a request before anything is looked up.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::Uri;
use hyper::header::HeaderMap;

use super::entries;
use super::route::Check;
use super::state::Live;
use super::target::{self, Own};
use crate::check::{Lookup, Wants};
use crate::hashed::Hashed;
use crate::ledger::{Asked, Instance, Poll, Stated, Who};
use crate::probe::Request as Part;

/// Who asks for a check, and how.
pub struct Asker<'a> {
    /// The URL, whose query string belongs to the check.
    pub uri: &'a Uri,
    /// What is said besides.
    pub headers: &'a HeaderMap,
    /// From where.
    pub from: IpAddr,
    /// In which way, such as `agent `; stands in front of what is checked.
    pub kind: &'static str,
}

/// A check that can be decided.
pub struct Prepared {
    /// Who asks.
    pub who: Hashed<Who>,
    /// What is asked besides the spool.
    pub wants: Wants,
    /// Neither a stored result nor a probe under way will do.
    pub fresh: bool,
    /// What the balancer says of itself.
    stated: Stated,
    /// The host as the poller wrote it.
    typed: Option<Box<str>>,
}

impl Prepared {
    /// Prepares a check.
    #[must_use]
    pub fn new(check: &Check<'_>, asker: &Asker<'_>, own: &dyn Own, live: &Live) -> Self {
        let asked = target::read(check, asker.headers, own);
        let place = asked.place.as_ref().ok().cloned();
        let wants = match (check.protocol, asked.place) {
            (None, _) => Wants::Nothing,
            (Some(protocol), place) => {
                let build = |place| {
                    target::build(
                        check,
                        protocol,
                        place,
                        asker.uri,
                        asker.headers,
                        &live.config,
                    )
                };
                match place.and_then(build) {
                    Ok(target) => Lookup::wanted(protocol, Arc::new(target), &live.config.probe),
                    Err(refused) => Wants::Refused(refused, None),
                }
            }
        };
        let segment = wants
            .check()
            .filter(|(protocol, _)| matches!(protocol.request, Part::Segment));
        let segment = segment.map(|(_, target)| target.segment());
        let protocol = check.protocol.map_or("spool", |p| p.name);
        let who = Hashed::new(Who {
            service: Hashed::new(check.service.clone()),
            check: Hashed::new(Instance::new(asker.kind, protocol, segment, place)),
            address: asker.from,
            node: asked.node,
            server: asked.server,
        });
        Self {
            who,
            wants,
            fresh: asked.fresh,
            stated: asked.stated,
            typed: asked.typed,
        }
    }

    /// The names of the spool entries that can take the check down, besides `all`, in the order to ask.
    #[must_use]
    pub fn entries(&self, own: &dyn Own) -> Vec<String> {
        entries::names(
            &self.who.service,
            self.who.check.place.as_ref(),
            self.typed.as_deref(),
            own,
        )
    }

    /// What the ledger is to remember.
    #[must_use]
    pub fn poll(&self) -> Poll<'_> {
        let asked = match (&self.wants, self.wants.check()) {
            (Wants::Nothing, _) => Asked::Spool,
            (_, Some((protocol, target))) => Asked::Check(protocol, target),
            (_, None) => Asked::Refused,
        };
        Poll {
            stated: &self.stated,
            typed: self.typed.as_deref(),
            asked,
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::Method;

    use super::super::route::{self, Route};
    use super::*;
    use crate::config::Config;

    /// A host whose own name has this address.
    struct Named(IpAddr);

    impl Own for Named {
        fn is_own(&self, address: IpAddr) -> bool {
            address == self.0
        }
        fn by_name(&self) -> Option<IpAddr> {
            Some(self.0)
        }
    }

    #[test]
    fn the_address_of_the_hosts_own_name_counts_as_this_host() {
        let live = Live::new(Config::default(), &Arc::default()).unwrap();
        let (before, after) = (Named([10, 0, 0, 7].into()), Named([10, 0, 0, 8].into()));
        let headers: HeaderMap = [(
            "x-nerve-check-ip".parse().unwrap(),
            "10.0.0.7".parse().unwrap(),
        )]
        .into_iter()
        .collect();
        let uri = Uri::from_static("/tcp/web/80");
        let Ok(Route::Check(check)) = route::parse(&Method::GET, uri.path()) else {
            panic!("{uri} is no check")
        };
        let asker = Asker {
            uri: &uri,
            headers: &headers,
            from: before.0,
            kind: "",
        };
        let prepared = |own| Prepared::new(&check, &asker, own, &live);
        assert_eq!(prepared(&before).who.check.to_string(), "tcp 127.0.0.1:80");
        assert_eq!(prepared(&after).who.check.to_string(), "tcp 10.0.0.7:80");
    }
}
