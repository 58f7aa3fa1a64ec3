//! A poller: who it is, and what it says of itself.

use std::net::IpAddr;

use super::{AskedCheck, View};
use crate::spool::ServiceName;

/// Who a poller is. Default host names of balancers collide, so all parts together tell pollers apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Poller {
    /// The service that it asks for.
    pub service: ServiceName,
    /// What it has checked.
    pub check: AskedCheck,
    /// Where it polls from.
    pub address: IpAddr,
    /// The balancer's node name, where it says it.
    pub node: Option<Box<str>>,
    /// Its backend and server, such as `web/s1`, where it says them.
    pub server: Option<Box<str>>,
    /// What it calls itself: the beginning of its `User-Agent`.
    pub user_agent: Option<Box<str>>,
}

/// What a balancer says with a poll: its view before this poll.
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
    /// It polls from outside `pollers_from`: it is never established, and nobody waits for it.
    pub outside: bool,
    /// The host to check as it was written, where one is named that is not refused.
    pub host: Option<Box<str>>,
}
