//! The fleet in one sentence, for page and terminal alike. It holds no time, so that it is news only when it is.

use serde::Serialize;

use super::NAME_MAX;
use super::survey::{FleetState, FleetSurvey};
use super::tallies::{Counts, Tallies};
use crate::names::text::shown;

/// Up to so many are named, more are counted.
const NAMED_MAX: usize = 3;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Tone {
    /// Hosts are lost, a service has none left, or orders are.
    Bad,
    /// Somebody does not do as ordered.
    Warn,
    /// People have taken something down.
    Hand,
    /// Everything is up.
    Good,
    /// There is nothing to tell.
    #[default]
    Mute,
}

/// The sentence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct FleetVerdict {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

impl FleetVerdict {
    pub(super) fn of(survey: &FleetSurvey<'_>, tallies: &Tallies<'_>) -> Self {
        if survey.hosts.is_empty() {
            return Self {
                tone: Tone::Mute,
                text: "No such host is known.".to_owned(),
            };
        }

        // What is worst comes first: a terminal or a title may show only the beginning.
        let mut parts = Vec::new();
        if !survey.unknown.is_empty() {
            parts.push("Hosts hold orders that etcd has lost.".to_owned());
        }

        parts.extend(none_up(tallies));
        for state in [FleetState::Lost, FleetState::Late, FleetState::Down] {
            parts.extend(hosts_in(survey, state));
        }

        parts.push(services(survey, tallies));
        Self {
            tone: tone(survey, tallies),
            text: parts.join(" "),
        }
    }
}

fn tone(survey: &FleetSurvey<'_>, tallies: &Tallies<'_>) -> Tone {
    let Counts {
        lost,
        late,
        waived,
        down,
        partly,
        ..
    } = tallies.all;
    // A host that is lost may be down or not: nobody knows, and so it is as bad as one that is.
    if lost > 0 || !survey.unknown.is_empty() || none_up(tallies).is_some() {
        Tone::Bad
    } else if late + waived > 0 {
        Tone::Warn
    } else if down + partly > 0 {
        Tone::Hand
    } else {
        Tone::Good
    }
}

/// Services that nobody serves.
fn none_up(tallies: &Tallies<'_>) -> Option<String> {
    // By the name as it is shown, which may be a stranger's text.
    let mut names = Vec::new();
    for (name, tally) in &tallies.services {
        if tally.counts.serving() == 0 {
            names.push(shown(name, NAME_MAX));
        }
    }

    match names.len() {
        0 => None,
        1..=NAMED_MAX => Some(format!("No host is up for {}.", listed(&names))),
        many => Some(format!("No host is up for {many} services.")),
    }
}

/// `web01 and web02 are lost.`
fn hosts_in(survey: &FleetSurvey<'_>, state: FleetState) -> Option<String> {
    let hosts = survey.hosts.iter().filter(|host| host.state == state);
    // Names of hosts are checked where they are read, and need no cutting.
    let names: Vec<String> = hosts.map(|host| host.name.to_owned()).collect();
    let what = predicate(state, names.len());
    match names.len() {
        0 => None,
        1..=NAMED_MAX => Some(format!("{} {what}.", listed(&names))),
        many => Some(format!("{many} hosts {what}.")),
    }
}

/// What so many hosts of a state are.
fn predicate(state: FleetState, hosts: usize) -> String {
    match (state, hosts) {
        (FleetState::Late, 1) => "has not done yet what was ordered".to_owned(),
        (FleetState::Late, _) => "have not done yet what was ordered".to_owned(),
        (_, 1) => format!("is {}", state.words()),
        _ => format!("are {}", state.words()),
    }
}

fn services(survey: &FleetSurvey<'_>, tallies: &Tallies<'_>) -> String {
    let all = tallies.services.len();
    if let Some(lacking) = Lacking::of(tallies) {
        return lacking.sentence(all);
    }

    match (all, survey.hosts.len()) {
        (0, _) => "No service is known yet.".to_owned(),
        (1, _) => "Its service has all its hosts.".to_owned(),
        (_, 1) => "All services are up.".to_owned(),
        _ => "Every service has all its hosts.".to_owned(),
    }
}

/// The services that some of their hosts do not serve.
struct Lacking<'a> {
    count: usize,
    /// The one that lacks most, in proportion; of several the first by name.
    name: &'a str,
    counts: &'a Counts,
}

impl<'a> Lacking<'a> {
    /// `None` where none lacks any.
    fn of(tallies: &'a Tallies<'_>) -> Option<Self> {
        let services = tallies.services.iter();
        let lacking = services.filter(|(_, tally)| tally.counts.lacks_some());
        let count = lacking.clone().count();
        let (name, tally) = lacking.min_by(|(_, a), (_, b)| a.counts.by_share(&b.counts))?;
        let counts = &tally.counts;
        Some(Self {
            count,
            name,
            counts,
        })
    }

    fn sentence(&self, all: usize) -> String {
        let count = self.count;
        let lack = if count == 1 { "lacks" } else { "lack" };
        let noun = if all == 1 { "service" } else { "services" };
        let name = shown(self.name, NAME_MAX);
        let (up, of) = (self.counts.serving(), self.counts.hosts);
        format!("{count} of {all} {noun} {lack} hosts; fewest: {name}, {up} of {of}.")
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
