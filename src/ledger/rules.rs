//! What is known of some pollers beforehand: how often a balancer must be told before it acts, how often it polls, and
//! whether anybody waits for it.
//!
//! Rule: of the rules in the configuration the first that fits counts; what it leaves out is as built in.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Poller;
use crate::names::pattern::{fits, is_name_or_pattern};
use crate::net::Network;
use crate::settings::{
    Kind, Reader, flag, networks, quoted, read_part, seconds, settings, show_part, times,
};

/// So much of a `User-Agent` tells pollers apart, in bytes.
pub(crate) const USER_AGENT_MAX: usize = 64;

/// The longest interval of a poller, in seconds: a day.
const LONGEST: f64 = 86_400.0;

/// Most polls that a balancer needs before it acts.
const POLLS_MAX: u32 = 1000;

/// The keys that say something of the pollers that a rule fits.
const SAYING: [&str; 4] = ["polls_down", "polls_up", "interval", "counts"];

/// What is built in of those that a `User-Agent` begins with.
struct KnownPoller {
    user_agent: &'static str,
    polls_down: Option<u32>,
    polls_up: Option<u32>,
    /// Whether it is a balancer; else it is a monitor, and nobody waits for it.
    is_balancer: bool,
}

/// A balancer that is presumed to poll every minute is waited for in time: AWS asks every 30 seconds unless told
/// otherwise, others up to every minute.
const PRESUMED: Duration = Duration::from_secs(60);

/// AWS, Google, Azure, Envoy, keepalived, Kubernetes, all that are written in Go (Caddy, Traefik), and monitors.
/// Envoy acts on the first 503. Caddy needs `max(fails, passes)`, which nobody but its administrator knows.
/// AWS's load balancers take a target back after five passed checks, keepalived one out after three retries.
const KNOWN: [KnownPoller; 10] = [
    balancer("ELB-HealthChecker", None, Some(5)),
    balancer("GoogleHC", None, None),
    balancer("Load Balancer Agent", None, None),
    balancer("Envoy/HC", Some(1), None),
    balancer("KeepAliveClient", Some(4), None),
    balancer("kube-probe", None, None),
    balancer("Go-http-client", None, None),
    monitor("Blackbox Exporter/"),
    monitor("Prometheus/"),
    monitor("check_http/"),
];

const fn balancer(
    user_agent: &'static str,
    polls_down: Option<u32>,
    polls_up: Option<u32>,
) -> KnownPoller {
    KnownPoller {
        user_agent,
        polls_down,
        polls_up,
        is_balancer: true,
    }
}

const fn monitor(user_agent: &'static str) -> KnownPoller {
    KnownPoller {
        user_agent,
        polls_down: None,
        polls_up: None,
        is_balancer: false,
    }
}

impl KnownPoller {
    fn rule(&self) -> PollerRule {
        PollerRule {
            user_agent: Some(self.user_agent.to_owned()),
            polls_down: self.polls_down,
            polls_up: self.polls_up,
            interval: self.is_balancer.then_some(PRESUMED),
            // With an interval it is known to be a balancer, which counts from its first poll unless told otherwise.
            counts: (!self.is_balancer).then_some(false),
            ..PollerRule::default()
        }
    }
}

settings! {
    /// What is known of the pollers that it fits.
    pub struct PollerRule {
        /// Where they poll from.
        from: Option<Vec<Network>> = None, networks().or_unset();
        /// What their `User-Agent` begins with.
        user_agent: Option<String> = None, user_agent().or_unset();
        /// The service that they ask for, or a pattern of names.
        service: Option<String> = None, service().or_unset();
        /// Equal answers after which they have taken the server out, where they do not say so.
        polls_down: Option<u32> = None, times(POLLS_MAX).or_unset();
        /// Equal answers after which they have put it back.
        polls_up: Option<u32> = None, times(POLLS_MAX).or_unset();
        /// How often they poll, until their polls show a longer interval.
        interval: Option<Duration> = None, seconds(0.1, LONGEST).or_unset();
        /// Whether a change has to wait for them: from the first poll, or never.
        counts: Option<bool> = None, flag().or_unset();
    }
}

impl PollerRule {
    fn read(reader: &Reader<'_>) -> Option<Self> {
        let (rule, fields) = read_part(&Self::table(), reader)?;
        // By the file: what is at fault there says something all the same.
        if !SAYING.iter().any(|key| fields.get(key).is_some()) {
            reader.warn(
                "says nothing of the pollers that it fits; add polls_down, polls_up, interval or counts",
            );
        }

        Some(rule)
    }

    fn show(&self) -> String {
        show_part(&Self::table(), self)
    }

    fn fits(&self, poller: &Poller) -> bool {
        self.fits_address(poller.address)
            && self.fits_user_agent(poller.user_agent.as_deref())
            && self.fits_service(poller.service.as_str())
    }

    fn fits_address(&self, address: IpAddr) -> bool {
        match &self.from {
            Some(networks) => Network::any_contains(networks, address),
            None => true,
        }
    }

    fn fits_user_agent(&self, user_agent: Option<&str>) -> bool {
        match &self.user_agent {
            Some(beginning) => user_agent.is_some_and(|text| text.starts_with(beginning)),
            None => true,
        }
    }

    fn fits_service(&self, service: &str) -> bool {
        match &self.service {
            Some(pattern) => pattern == service || fits(pattern, service),
            None => true,
        }
    }

    fn expectation(&self) -> Expectation {
        Expectation {
            polls_down: self.polls_down,
            polls_up: self.polls_up,
            interval: self.interval.map(|interval| interval.as_secs_f64()),
            counts: self.counts,
            least_interval: None,
        }
    }
}

/// The rules of the configuration, in their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PollerRules(Vec<PollerRule>);

impl PollerRules {
    /// What is known of a poller.
    pub(super) fn expectation(&self, poller: &Poller) -> Expectation {
        let own = self.0.iter().find(|rule| rule.fits(poller));
        let own = own.map(PollerRule::expectation).unwrap_or_default();
        let own = Expectation {
            least_interval: own.interval,
            ..own
        };

        match poller.user_agent.as_deref().and_then(known) {
            // Only where the configuration leaves something open: it knows its balancers better.
            Some(known) => own.or(known.rule().expectation()),
            None => own,
        }
    }

    /// The shortest interval that they tell.
    #[must_use]
    pub(crate) fn shortest_interval(&self) -> Option<Duration> {
        self.0.iter().filter_map(|rule| rule.interval).min()
    }

    fn show(&self) -> String {
        let rules: Vec<String> = self.0.iter().map(PollerRule::show).collect();
        format!("[{}]", rules.join(", "))
    }
}

/// What is built in of those that call themselves so.
fn known(user_agent: &str) -> Option<&'static KnownPoller> {
    let mut known = KNOWN.iter();
    known.find(|known| user_agent.starts_with(known.user_agent))
}

/// The rules that are built in, as YAML.
pub(crate) fn built_in_pollers() -> impl Iterator<Item = String> {
    KNOWN.iter().map(|known| known.rule().show())
}

/// What is known of a poller before it has shown it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// Equal answers after which it has taken the server out.
    pub polls_down: Option<u32>,
    /// Equal answers after which it has put it back.
    pub polls_up: Option<u32>,
    /// Its presumed interval in seconds.
    pub interval: Option<f64>,
    /// Whether a change waits for it, where that is settled.
    pub counts: Option<bool>,
    /// Its interval in seconds as the configuration says, below which no measure of its polls goes: several machines
    /// that poll from one address come close together, and are silent until their next round.
    #[serde(skip)]
    pub least_interval: Option<f64>,
}

impl Expectation {
    /// The same, with what it leaves open taken from another.
    fn or(self, other: Self) -> Self {
        Self {
            polls_down: self.polls_down.or(other.polls_down),
            polls_up: self.polls_up.or(other.polls_up),
            interval: self.interval.or(other.interval),
            counts: self.counts.or(other.counts),
            least_interval: self.least_interval.or(other.least_interval),
        }
    }
}

/// The setting's kind.
pub(super) fn poller_rules() -> Kind<PollerRules> {
    let read = |reader: &Reader<'_>| reader.each(PollerRule::read).map(PollerRules);
    Kind::new("list of rules", read, PollerRules::show)
}

fn user_agent() -> Kind<String> {
    Kind::new("text", read_user_agent, |text: &String| quoted(text))
}

fn read_user_agent(reader: &Reader<'_>) -> Option<String> {
    let text = reader.text()?;
    if text.len() > USER_AGENT_MAX {
        reader.fault(
            "is longer than the 64 bytes of a User-Agent that are kept",
            "write its beginning",
        );
        return None;
    }

    Some(text)
}

fn service() -> Kind<String> {
    Kind::new("name or pattern", read_service, |text: &String| {
        quoted(text)
    })
}

fn read_service(reader: &Reader<'_>) -> Option<String> {
    let remedy = "use letters, digits, '.', '_' and '-', and '*' for any characters";
    let what = "is neither a service nor a pattern of names";
    reader.parsed(what, remedy, |text| {
        is_name_or_pattern(text).then(|| text.to_owned())
    })
}
