//! A poller as `/pollers` tells of it, and what can be said of it: does it still poll, does it send traffic.
//!
//! Rule: times are seconds since the daemon's start, on a clock that only goes forward.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Expectation, Namesakes};
use crate::names::text::one_line;
use crate::spool::{ALL, EntrySeen};

/// A poller that missed this many of its own intervals has stopped.
const INTERVALS: f64 = 3.0;

/// The interval of a balancer that polled only once, in seconds: on the safe side, as it certainly comes again.
const PRESUMED_BALANCER: f64 = 20.0;

/// The same for a poller that does not say what it is: HAProxy's default. It may be a person who looked once.
const PRESUMED: f64 = 2.0;

/// Requests from which on anybody is a poller: two gaps make a rhythm.
const LOOP: u64 = 3;

/// A balancer's view of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// It sends traffic.
    Up,
    /// It sends none.
    Down,
    /// It sends what belongs to old sessions only.
    NoLb,
}

impl View {
    /// Its place in [`super::PollerFigures::polling`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Up => 0,
            Self::Down => 1,
            Self::NoLb => 2,
        }
    }
}

/// What a poller was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// The check passes, or nothing is to be checked.
    Up,
    /// Nobody took it down, but the check fails.
    Fail,
    /// An operator took it down.
    Down,
    /// The check passes, while the agent takes the weight away.
    Drain,
}

impl Told {
    /// Whether that is an answer that passes.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(self, Self::Up | Self::Drain)
    }
}

/// One poller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PollerRow {
    /// The service that it asks for.
    pub service: String,
    /// What it has checked: protocol, host and port.
    pub check: String,
    /// What else of the request tells checks apart: its path, or its options.
    #[serde(default)]
    pub variant: String,
    /// The spool entries that can take it down, besides `all`.
    pub names: Vec<String>,
    /// Where it polls from.
    pub address: IpAddr,
    /// The balancer's node name.
    pub node: Option<String>,
    /// Backend and server.
    pub server: Option<String>,
    /// The beginning of its `User-Agent`.
    #[serde(default)]
    pub user_agent: Option<String>,
    /// Its interval in seconds, once it polled twice.
    pub interval: Option<f64>,
    /// What is known of it beforehand, from the configuration or built in.
    #[serde(default)]
    pub expected: Expectation,
    /// A person's tool asked, such as curl or a browser.
    pub by_hand: bool,
    /// How often it polled.
    pub polls: u64,
    /// It sent the same request at a steady pace.
    #[serde(default)]
    pub established: bool,
    /// It polls in a rhythm; `None` where a daemon before this version does not tell.
    #[serde(default)]
    pub rhythm: Option<bool>,
    /// It polls from outside `pollers_from`, so nobody waits for it.
    #[serde(default)]
    pub outside: bool,
    /// When it polled last.
    pub polled_at: f64,
    /// Its view before its last poll.
    pub view: Option<View>,
    /// The same in its own words.
    pub state: Option<String>,
    /// Sessions of this server and of the backend.
    pub sessions: Option<[u32; 2]>,
    /// It was ever seen to have sessions, with this server or its backend.
    #[serde(default = "yes")]
    pub has_had_sessions: bool,
    /// Two processes poll under this name, as far as can be seen.
    #[serde(default)]
    pub namesakes: Option<Namesakes>,
    /// Own weight and weight of the backend.
    pub weight: Option<[u32; 2]>,
    /// The last answer.
    pub told: Option<Told>,
    /// Its status code.
    pub code: u16,
    /// When it was given.
    pub told_at: f64,
    /// Equal answers in a row.
    pub run: u64,
    /// Its last poll came after an answer other than "up", so its view may show what it made of that.
    pub after_closed: bool,
}

/// The spool folder of a daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpoolRoot {
    /// Its path, as the daemon was given it.
    pub path: String,
    /// Device and inode, by which another process knows it again.
    pub id: Option<[u64; 2]>,
}

/// The answer of `/pollers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PollersPage {
    /// Now.
    pub now: f64,
    /// Another one after each start of the daemon.
    pub daemon: String,
    /// The daemon's spool.
    pub spool: SpoolRoot,
    /// Whether a drain is told by weights of the agent protocol.
    pub agent_weights: bool,
    /// The pollers, by service and name.
    pub pollers: Vec<PollerRow>,
    /// How many were forgotten for want of room.
    pub forgotten: u64,
    /// The same, but 0 where the last one was forgotten over an hour ago.
    #[serde(default)]
    pub forgotten_lately: u64,
    /// The spool entries of the services and instances that were asked about, as the daemon sees them.
    #[serde(default)]
    pub entries: BTreeMap<String, EntrySeen>,
}

impl PollersPage {
    /// The pollers of these services or instances alone; everybody for `all`.
    #[must_use]
    pub fn of(&self, names: &[String]) -> Self {
        let mut page = self.clone();
        page.pollers.retain(|row| row.is_taken_down_by(names));
        page
    }
}

impl PollerRow {
    /// Whether one of these spool entries takes its check down.
    #[must_use]
    pub(crate) fn is_taken_down_by(&self, names: &[String]) -> bool {
        let takes = |name: &String| name == ALL || self.names.contains(name);
        names.iter().any(takes)
    }

    /// What tells it from all others, also after a restart of the daemon.
    #[must_use]
    pub fn id(&self) -> String {
        format!(
            "{} {} {} {} {:?} {:?} {:?}",
            self.service,
            self.check,
            self.variant,
            self.address,
            self.node,
            self.server,
            self.user_agent
        )
    }

    /// The order to list it in.
    #[must_use]
    pub fn order(&self) -> (&str, [Option<&str>; 3], IpAddr, &str) {
        (
            &self.service,
            [&self.node, &self.server, &self.user_agent].map(Option::as_deref),
            self.address,
            &self.check,
        )
    }

    /// Its name for people: `lb1 web/s1`, else the address and what it calls itself: `10.0.0.1 Envoy/HC`.
    #[must_use]
    pub fn label(&self) -> String {
        let label = match (&self.node, &self.server) {
            (Some(node), Some(server)) => format!("{node} {server}"),
            // One of the two alone is often the same on several balancers.
            (Some(name), None) | (None, Some(name)) => format!("{name} ({})", self.address),
            (None, None) => self.nameless(),
        };
        one_line(&label)
    }

    fn nameless(&self) -> String {
        let address = self.address;
        match &self.user_agent {
            _ if self.is_agent() => format!("agent of {address}"),
            Some(user_agent) => format!("{address} {user_agent}"),
            None => address.to_string(),
        }
    }

    /// Whether it asks by HAProxy's agent-check.
    #[must_use]
    pub(crate) fn is_agent(&self) -> bool {
        self.check.starts_with("agent ")
    }

    /// Whether a person looked, rather than a balancer polled.
    #[must_use]
    pub(crate) fn is_person(&self) -> bool {
        is_person(self.by_hand, self.established)
    }

    /// Whether a change has to wait for it: not for somebody who asks without a rhythm, nor for what polls from outside
    /// `pollers_from`. A balancer counts from its first poll. What the configuration says comes first.
    #[must_use]
    pub fn counts(&self) -> bool {
        match self.expected.counts {
            _ if self.outside => false,
            Some(counts) => counts,
            None => self.has_rhythm() || self.is_balancer() && !self.by_hand,
        }
    }

    fn has_rhythm(&self) -> bool {
        match self.rhythm {
            // Three looks before, during and after a downtime come at even gaps, too.
            Some(_) if self.by_hand => self.established,
            Some(rhythm) => rhythm,
            // By the count alone, as before it was told.
            None => self.polls >= LOOP,
        }
    }

    /// How many balancers it stands for.
    #[must_use]
    pub fn processes(&self) -> usize {
        match self.namesakes {
            // That there are more than two cannot be seen from their polls.
            Some(_) => 2,
            None => 1,
        }
    }

    /// Its sessions with this server, where what it says can be believed: of a server that is tracked from another
    /// backend HAProxy says 0 for ever.
    #[must_use]
    pub(crate) fn known_sessions(&self) -> Option<u32> {
        let [own, _] = self.sessions?;
        self.has_had_sessions.then_some(own)
    }

    /// Whether it is known to be a balancer, so that it certainly comes again.
    fn is_balancer(&self) -> bool {
        self.node.is_some()
            || self.server.is_some()
            || self.is_agent()
            || self.expected.interval.is_some()
    }

    /// Whether it polled within the last three of its own intervals.
    #[must_use]
    pub(crate) fn is_polling(&self, now: f64) -> bool {
        is_polling(self.usual_interval(), self.polled_at, now)
    }

    /// Its interval in seconds; presumed while it polled only once.
    #[must_use]
    pub(crate) fn usual_interval(&self) -> f64 {
        let presumed = presumed_interval(self.server.is_some(), self.expected);
        self.interval.unwrap_or(presumed)
    }

    /// Whether the balancer says that it sends no new traffic; `None` when it says nothing.
    #[must_use]
    pub fn is_out(&self) -> Option<bool> {
        let view = self.view?;
        // A server of weight 0 is up, and gets what belongs to old sessions only.
        let has_no_weight = self.weight.is_some_and(|[own, _]| own == 0);
        Some(view != View::Up || has_no_weight)
    }
}

/// What a daemon before this version does not tell.
fn yes() -> bool {
    true
}

/// What the records of the daemon and the rows of its page mean by a person: who asks by hand, and wrote no loop.
pub(super) fn is_person(by_hand: bool, established: bool) -> bool {
    by_hand && !established
}

/// Whether it polled within the last three of its intervals.
pub(super) fn is_polling(interval: f64, polled_at: f64, now: f64) -> bool {
    now - polled_at <= interval * INTERVALS
}

/// The interval of a poller that polled only once.
pub(super) fn presumed_interval(names_server: bool, expected: Expectation) -> f64 {
    match expected.interval {
        Some(interval) => interval,
        None if names_server => PRESUMED_BALANCER,
        None => PRESUMED,
    }
}

#[cfg(test)]
impl PollersPage {
    /// At 100; there is no such folder.
    pub(crate) fn example(pollers: Vec<PollerRow>) -> Self {
        Self {
            now: 100.0,
            daemon: "1".into(),
            spool: SpoolRoot {
                path: "/no/such/folder".into(),
                id: None,
            },
            agent_weights: false,
            pollers,
            forgotten: 0,
            forgotten_lately: 0,
            entries: BTreeMap::new(),
        }
    }
}

#[cfg(test)]
impl PollerRow {
    /// HAProxy `lb1`, which polls `web` every 2 seconds and polled last at 100.
    pub(crate) fn example() -> Self {
        Self {
            service: "web".into(),
            check: "http 127.0.0.1:80".into(),
            variant: String::new(),
            names: vec!["web".into()],
            address: [10, 0, 0, 1].into(),
            node: Some("lb1".into()),
            server: Some("web/s1".into()),
            user_agent: None,
            interval: Some(2.0),
            expected: Expectation::default(),
            by_hand: false,
            polls: 9,
            established: true,
            rhythm: Some(true),
            outside: false,
            polled_at: 100.0,
            view: Some(View::Up),
            state: Some("UP".into()),
            sessions: Some([2, 9]),
            has_had_sessions: true,
            namesakes: None,
            weight: Some([1, 2]),
            told: Some(Told::Up),
            code: 200,
            told_at: 100.0,
            run: 2,
            after_closed: false,
        }
    }
}
