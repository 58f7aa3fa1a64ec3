//! A poll, as the ledger is told of it: who, with which view, for what, and its answer.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Instance, Told, View};
use crate::hashed::Hashed;
use crate::probe::{Protocol, Target};
use crate::spool::ServiceName;

/// Longest path and headers of a check that are remembered, in bytes.
const ASK_MAX: usize = 1024;

/// Who a poller is. Default host names of balancers collide, so all parts together tell pollers apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Who {
    /// The service that it asks for.
    pub service: Hashed<ServiceName>,
    /// What it has checked.
    pub check: Hashed<Instance>,
    /// Where it polls from.
    pub address: IpAddr,
    /// The balancer's node name, where it says it.
    pub node: Option<Box<str>>,
    /// Its backend and server, such as `web/s1`, where it says them.
    pub server: Option<Box<str>>,
}

/// What a balancer says of itself with a poll: its view before this poll.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stated {
    /// Whether it sends traffic.
    pub view: Option<View>,
    /// Its own words, such as `UP 1/3`.
    pub words: Option<Box<str>>,
    /// Sessions of this server and of its backend.
    pub sessions: Option<[u32; 2]>,
    /// The server's own weight and that of its whole backend.
    pub weight: Option<[u32; 2]>,
    /// A person's tool asks, such as curl or a browser: by its `User-Agent`.
    pub by_hand: bool,
}

/// A check as a poller asks it, to be asked again without one.
#[derive(Debug, Clone)]
pub struct Ask {
    /// How to probe.
    pub protocol: &'static Protocol,
    /// Where, and with which request.
    pub target: Arc<Target>,
}

/// What pollers ask.
#[derive(Debug, Default)]
pub struct Asks {
    /// The different checks.
    pub checks: Vec<Arc<Ask>>,
    /// Pollers that ask for downtimes only.
    pub spool_only: usize,
    /// Pollers whose checks are unknown: too long to be remembered, or refused.
    pub unknown: usize,
}

/// What a poller asks and says, besides who it is.
#[derive(Debug, Clone, Copy)]
pub struct Poll<'a> {
    /// What it says of itself.
    pub stated: &'a Stated,
    /// The host as it wrote it, where it names one.
    pub typed: Option<&'a str>,
    /// What it asks.
    pub asked: Asked<'a>,
}

/// What a poller asks.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    /// For downtimes only.
    Spool,
    /// For a check.
    Check(&'static Protocol, &'a Arc<Target>),
    /// For something that is refused.
    Refused,
}

/// What a poller was answered.
#[derive(Debug, Clone, Copy)]
pub struct Answer {
    /// In short.
    pub told: Told,
    /// The status code; 0 where there is none.
    pub code: u16,
}

impl<'a> Asked<'a> {
    pub(super) fn check(self) -> Option<(&'static Protocol, &'a Arc<Target>)> {
        match self {
            Self::Check(protocol, target) => Some((protocol, target)),
            Self::Spool | Self::Refused => None,
        }
    }
}

/// Whether two checks are asked in the same way.
pub(super) fn same_ask(
    known: Option<&Ask>,
    ask: Option<(&'static Protocol, &Arc<Target>)>,
) -> bool {
    match (known, ask) {
        (None, None) => true,
        (Some(known), Some((protocol, target))) => {
            let (a, b) = (&known.target, target);
            let same =
                || (a.port, &a.host, &a.path, &a.headers) == (b.port, &b.host, &b.path, &b.headers);
            known.protocol.name == protocol.name && (Arc::ptr_eq(a, b) || same())
        }
        _ => false,
    }
}

/// A copy to keep, unless it is too long.
pub(super) fn remembered(ask: Option<(&'static Protocol, &Arc<Target>)>) -> Option<Arc<Ask>> {
    let (protocol, target) = ask?;
    let headers: usize = target
        .headers
        .iter()
        .map(|(n, v)| n.as_str().len() + v.len())
        .sum();
    (target.path.len() + headers <= ASK_MAX).then(|| {
        Arc::new(Ask {
            protocol,
            target: Arc::clone(target),
        })
    })
}
