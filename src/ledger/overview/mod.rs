//! The host as `/overview` tells of it: what the page, `hacheck top` and the fleet show.
//!
//! Rule: times are seconds of unix time, by the host's clock.

mod downtimes;
mod rotation;
mod summary;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use downtimes::changes;
pub use rotation::{Rotation, acted};
pub use summary::Summary;

use super::{HostEvent, LastFail, Told, View};

/// The form of the answer: another number after every change that a reader could stumble over.
pub(crate) const FORM: u32 = 1;

/// From so many polls on, somebody polls steadily.
const STEADY: u64 = 5;

/// Who stops after fewer polls was hardly a balancer.
const STOPPED_AFTER: u64 = 10;

/// The answer of `/overview`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// `FORM`.
    pub page: u32,
    /// Now.
    pub now: f64,
    /// This host's short name.
    pub host: String,
    /// hacheck's version.
    pub version: String,
    /// Another one after each start.
    pub daemon: String,
    /// When the daemon started.
    pub started: f64,
    /// The host in one sentence.
    pub verdict: Summary,
    /// The spool.
    pub spool: SpoolRow,
    /// The downtimes in force.
    pub downtimes: Vec<DowntimeRow>,
    /// The services, the worst first.
    pub services: Vec<ServiceRow>,
    /// Who polls, by name, whatever they ask for.
    pub balancers: Vec<BalancerRow>,
    /// The groups of the configuration.
    pub groups: BTreeMap<String, GroupRow>,
    /// What changed, the newest first.
    pub changes: Vec<HostEvent>,
    /// Connections of pollers.
    pub connections: ConnectionsRow,
    /// Pollers that were forgotten for want of room.
    pub pollers_forgotten: u64,
    /// Services that are not among those above.
    pub left_out: usize,
}

/// The spool folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpoolRow {
    /// Its path.
    pub root: String,
    /// Whether it can be read.
    pub readable: bool,
    /// Why not.
    pub error: Option<String>,
    /// Since when not.
    pub since: Option<f64>,
}

/// A downtime in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DowntimeRow {
    /// Its name in the spool: `web`, `web:8080` or `all`.
    pub name: String,
    /// The service that it is for.
    pub service: String,
    /// The host and the port, where it is for one instance.
    pub host: Option<String>,
    /// See `host`.
    pub port: Option<u16>,
    /// Why.
    pub reason: String,
    /// Who took it down.
    pub by: Option<String>,
    /// Whose file it is.
    pub file_owner: Option<String>,
    /// Since when.
    pub since: Option<f64>,
    /// When it ends by itself.
    pub until: Option<f64>,
    /// How it is told: `soft`, `drain` or `agent_only`, where not plainly.
    pub mark: Option<String>,
    /// The spool cannot be read, and this is what it said last.
    pub held: bool,
    /// `fleet:` and the selector, where an order of the fleet wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The id of that order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

impl DowntimeRow {
    /// Who took it down: by the downtime's own words, else by the file, unless the reason says so already.
    #[must_use]
    pub(crate) fn author(&self) -> Option<&str> {
        let owner = self.file_owner.as_deref();
        // The default reason of hadown is the user's name.
        let owner = owner.filter(|owner| !self.reason.starts_with(owner));
        self.by.as_deref().or(owner)
    }
}

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceRow {
    /// Its name; that of the downtime where nobody asks for it.
    pub name: String,
    /// The worst of its checks.
    pub state: Rotation,
    /// Its checks, the worst first.
    pub checks: Vec<CheckRow>,
}

impl ServiceRow {
    /// Whether somebody polls it steadily.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.pollers().any(|p| p.polling && p.polls >= STEADY)
    }

    /// The polls of those that still poll it.
    #[must_use]
    pub fn polls(&self) -> u64 {
        let polling = self.pollers().filter(|poller| poller.polling);
        polling.map(|poller| poller.polls).sum()
    }

    /// Its pollers, whichever check they poll.
    pub fn pollers(&self) -> impl Iterator<Item = &PollingRow> {
        self.checks.iter().flat_map(|check| &check.pollers)
    }
}

/// A check, as pollers ask it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckRow {
    /// What is checked: `http 127.0.0.1:8080`.
    pub check: String,
    /// The path that asks for it.
    pub ask: String,
    /// The arguments of `hacheck probe` that ask the same, with the host where it is not this one; of a check that fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probe: Vec<String>,
    /// The downtimes that can take it down, besides `all`.
    pub names: Vec<String>,
    /// What pollers were told last.
    pub told: Option<Told>,
    /// Its place in rotation.
    pub state: Rotation,
    /// Since when it is told so.
    pub since: Option<f64>,
    /// The last status code.
    pub code: u16,
    /// The last result in short.
    pub text: String,
    /// When a probe ended last.
    pub checked: Option<f64>,
    /// How long it took, in seconds.
    pub took: Option<f64>,
    /// How long it may take, in seconds.
    pub limit: f64,
    /// The downtime that holds now.
    pub downtime: Option<String>,
    /// When it failed last, and how.
    pub last_fail: Option<LastFail>,
    /// A letter for each minute of the last hour, the oldest first: up, failing, down, or `-` where nobody asked.
    pub hour: String,
    /// Who polls it.
    pub pollers: Vec<PollingRow>,
}

/// A poller of one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PollingRow {
    /// The balancer's node name.
    pub node: Option<String>,
    /// Backend and server.
    pub server: Option<String>,
    /// What it calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Where it polls from.
    pub address: IpAddr,
    /// How often it polls, in seconds, once it polled twice.
    pub interval: Option<f64>,
    /// Its polls.
    pub polls: u64,
    /// Whether it still polls.
    pub polling: bool,
    /// When it polled last.
    pub polled: f64,
    /// What it sees.
    pub view: Option<View>,
    /// The same in its own words.
    pub state: Option<String>,
    /// Whether it sends no new traffic; `None` when it does not say.
    pub out: Option<bool>,
    /// Its sessions with this server.
    pub sessions: Option<u32>,
    /// The same when it was told other than "up" first, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions_at_close: Option<u32>,
    /// Own weight and weight of the backend.
    pub weight: Option<[u32; 2]>,
    /// What it was told last.
    pub told: Option<Told>,
    /// The status code of that.
    pub code: u16,
    /// When.
    pub told_at: f64,
    /// How often in a row.
    pub run: u64,
    /// Whether it acted on that; `None` when there is nothing to act on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<bool>,
}

/// A balancer, with all that it polls here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BalancerRow {
    /// Its node, else backend and server, else its address.
    pub name: String,
    /// Whether it polls anything.
    pub polling: bool,
    /// When it polled last.
    pub polled: f64,
    /// Its polls.
    pub polls: u64,
    /// Sessions left on servers that it sends no new traffic.
    pub left: u64,
}

impl PollingRow {
    /// What to call it: its node, else backend and server, else its address.
    #[must_use]
    pub fn name(&self) -> String {
        match self.node.as_ref().or(self.server.as_ref()) {
            Some(name) => name.clone(),
            None => self.address.to_string(),
        }
    }
}

impl BalancerRow {
    /// One that polls nothing yet.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self {
            name,
            polling: false,
            polled: 0.0,
            polls: 0,
            left: 0,
        }
    }

    /// Adds what it polls.
    pub fn add(&mut self, poller: &PollingRow) {
        self.polling |= poller.polling;
        self.polled = self.polled.max(poller.polled);
        self.polls += poller.polls;
        // Nobody waits for the sessions of a server in rotation.
        if poller.polling && poller.out == Some(true) {
            self.left += u64::from(poller.sessions.unwrap_or(0));
        }
    }

    /// Whether it polled for some time, and does no more.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        !self.polling && self.polls >= STOPPED_AFTER
    }
}

/// A group of checks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// `up` or `down`, once that is known.
    pub state: Option<String>,
    /// When it changed last.
    pub changed: Option<f64>,
    /// When it was checked last.
    pub checked: Option<f64>,
    /// What came of it.
    pub summary: Option<String>,
    /// Each of its checks, as it was run last.
    pub checks: Vec<GroupCheckRow>,
}

/// A check of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupCheckRow {
    /// The check, as the configuration has it.
    pub text: String,
    /// Whether it passed.
    pub passes: bool,
    /// What it said, in short.
    pub said: String,
    /// How long it took, in seconds.
    pub took: f64,
}

/// Connections of pollers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionsRow {
    /// Open now.
    pub open: usize,
    /// The most that may be open.
    pub max: usize,
    /// Those that made room for others.
    pub dropped: u64,
}
