//! The whole fleet at a glance, from what the engine holds: which hosts are what and why, which services lack hosts, which
//! orders are in force and who has not obeyed yet. The page, the terminal and `-o json` show this one answer.
//!
//! Rules: pure. Every list is bounded, the worst first, and what is left out is counted. A host without a life sign is lost,
//! whatever it last said. Texts of others are short, on one line, and turn no direction of writing.

mod advice;
mod entries;
mod fill;
mod survey;
mod tallies;
mod verdict;

use std::collections::BTreeSet;

use serde::Serialize;

pub(crate) use self::advice::Advice;
pub(crate) use self::entries::{
    DownEntry, HostEntry, LateEntry, OrderEntry, OutEntry, ProgressEntry, RollEntry, ServiceEntry,
    SlotEntry, TagEntry, WaiverEntry,
};
pub(crate) use self::survey::FleetState;
use self::survey::{FleetSurvey, SurveyedHost};
pub(crate) use self::tallies::Counts;
use self::tallies::Tallies;
use self::verdict::FleetVerdict;
use super::{Selector, Snapshot};
use crate::names::sort::{sort_by, sort_by_key};
use crate::names::text::shown;

/// Most characters of a name.
const NAME_MAX: usize = 100;

/// Most characters of a reason.
const REASON_MAX: usize = 300;

/// Most services, orders, rolls and tags that are shown, each.
const ROWS_MAX: usize = 200;

/// Most entries of the lists within a row.
const INNER_MAX: usize = 8;

/// Which hosts are to be shown.
#[derive(Debug, Clone)]
pub(crate) struct OverviewRequest {
    /// Whom the whole answer is about.
    pub(crate) scope: Selector,
    /// Only hosts that hold this text; all when it is empty.
    pub(crate) text: String,
    /// Most of them.
    pub(crate) hosts_max: usize,
}

/// What there is to know of a fleet at one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct FleetOverview {
    /// The engine's revision then.
    pub(crate) revision: i64,
    /// Whom it is about: `*`, or conditions.
    #[serde(rename = "where")]
    pub(crate) scope: String,
    pub(crate) verdict: FleetVerdict,
    /// How many hosts are what.
    pub(crate) sums: Counts,
    pub(crate) hosts: Vec<HostEntry>,
    pub(crate) services: Vec<ServiceEntry>,
    pub(crate) orders: Vec<OrderEntry>,
    pub(crate) rolls: Vec<RollEntry>,
    pub(crate) tags: Vec<TagEntry>,
    /// Registers that hosts hold, and that the engine does not have: it was wiped, or restored.
    pub(crate) unknown: Vec<String>,
    /// What the engine holds and nobody can read.
    pub(crate) odd: Vec<String>,
    pub(crate) left_out: LeftOut,
}

/// How much there is that is not shown.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) hosts: usize,
    /// Those of them that are up, and nothing else is to be told of.
    pub(crate) hosts_up: usize,
    /// That do not hold the text that was asked for.
    pub(crate) hosts_unlike: usize,
    pub(crate) services: usize,
    pub(crate) orders: usize,
    pub(crate) rolls: usize,
    pub(crate) tags: usize,
    pub(crate) unknown: usize,
    pub(crate) odd: usize,
}

impl LeftOut {
    fn note_hosts(&mut self, rest: &[&SurveyedHost<'_>]) {
        // Told apart, so that a page can say that all the others are up.
        let up = rest.iter().filter(|host| host.state == FleetState::Up);
        self.hosts_up = up.count();
        self.hosts = rest.len();
    }
}

impl FleetOverview {
    /// The overview of a fleet at a time of the wall clock, in seconds of unix time.
    pub(crate) fn new(snapshot: &Snapshot, request: &OverviewRequest, now: f64) -> Self {
        let survey = FleetSurvey::of(snapshot, &request.scope, now);
        let tallies = Tallies::of(&survey);
        let mut overview = Self {
            revision: snapshot.revision,
            scope: request.scope.to_string(),
            verdict: FleetVerdict::of(&survey, &tallies),
            sums: tallies.all.clone(),
            ..Self::default()
        };

        overview.take_hosts(&survey, request);
        overview.take_tallies(tallies);
        overview.take_unknown(&survey);
        overview.take_odd(snapshot);
        overview
    }

    fn take_hosts(&mut self, survey: &FleetSurvey<'_>, request: &OverviewRequest) {
        let mut hosts = alike(survey, &request.text);
        self.left_out.hosts_unlike = survey.hosts.len() - hosts.len();
        sort_by_key(&mut hosts, |host| (host.state, host.name));

        let rest = hosts.split_off(request.hosts_max.min(hosts.len()));
        self.left_out.note_hosts(&rest);
        self.hosts = hosts.iter().map(|host| survey.entry(host)).collect();
        advice::once_each(&mut self.hosts);
    }

    fn take_tallies(&mut self, tallies: Tallies<'_>) {
        for (name, tally) in &tallies.services {
            self.services.push(tally.entry(name));
        }

        // Before anything is cut, so that what is left out is the least bad.
        sort_by(&mut self.services, ServiceEntry::worst_first);
        self.orders = tallies.orders.iter().map(OrderEntry::of).collect();
        self.rolls = tallies.rolls.into_values().collect();
        self.tags = tallies.tags.iter().map(TagEntry::of).collect();
        self.cut_rows();
    }

    fn cut_rows(&mut self) {
        self.left_out.services = cut(&mut self.services, ROWS_MAX);
        self.left_out.orders = cut(&mut self.orders, ROWS_MAX);
        self.left_out.rolls = cut(&mut self.rolls, ROWS_MAX);
        self.left_out.tags = cut(&mut self.tags, ROWS_MAX);
    }

    fn take_unknown(&mut self, survey: &FleetSurvey<'_>) {
        // Many hosts hold the same.
        let unknown: BTreeSet<&str> = survey.unknown.iter().copied().collect();
        self.unknown = unknown.iter().map(|name| shown(name, NAME_MAX)).collect();
        self.left_out.unknown = cut(&mut self.unknown, INNER_MAX);
    }

    fn take_odd(&mut self, snapshot: &Snapshot) {
        for odd in snapshot.odd.iter().take(INNER_MAX) {
            self.odd.push(shown(odd, REASON_MAX));
        }

        self.left_out.odd = snapshot.odd.len() - self.odd.len();
    }
}

/// The hosts that hold a text; all when it is empty.
fn alike<'a>(survey: &'a FleetSurvey<'a>, text: &str) -> Vec<&'a SurveyedHost<'a>> {
    let text = text.to_lowercase();
    let hosts = survey.hosts.iter();
    hosts
        .filter(|host| text.is_empty() || host.holds(&text))
        .collect()
}

/// Cuts a list; gives how many went.
fn cut<T>(list: &mut Vec<T>, most: usize) -> usize {
    let excess = list.len().saturating_sub(most);
    list.truncate(most);
    excess
}

#[cfg(test)]
mod tests;
