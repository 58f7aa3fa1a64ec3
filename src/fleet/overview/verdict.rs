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
    let services = tallies.services.iter();
    let none = services.filter(|(_, tally)| tally.counts.serving() == 0);
    let names: Vec<String> = none.map(|(name, _)| shown(name, NAME_MAX)).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("No host is up for {one}.")),
        several if several.len() <= NAMED_MAX => {
            Some(format!("No host is up for {}.", listed(several)))
        }
        many => Some(format!("No host is up for {} services.", many.len())),
    }
}

/// `web01 and web02 are lost.`
fn hosts_in(survey: &FleetSurvey<'_>, state: FleetState) -> Option<String> {
    let hosts = survey.hosts.iter().filter(|host| host.state == state);
    let names: Vec<String> = hosts.map(|host| host.name.to_owned()).collect();
    let what = match (state, names.len()) {
        (FleetState::Late, 1) => "has not done yet what was ordered".to_owned(),
        (FleetState::Late, _) => "have not done yet what was ordered".to_owned(),
        (_, 1) => format!("is {}", state.words()),
        _ => format!("are {}", state.words()),
    };

    match names.len() {
        0 => None,
        1..=NAMED_MAX => Some(format!("{} {what}.", listed(&names))),
        many => Some(format!("{many} hosts {what}.")),
    }
}

fn services(survey: &FleetSurvey<'_>, tallies: &Tallies<'_>) -> String {
    let lacking = tallies.services.iter();
    let lacking = lacking.filter(|(_, tally)| tally.counts.serving() < tally.counts.hosts);
    let fewest = lacking.clone();
    let fewest = fewest.min_by(|(_, a), (_, b)| a.counts.by_share(&b.counts));
    match (fewest, tallies.services.len()) {
        (None, 0) => "No service is known yet.".to_owned(),
        (None, 1) => "Its service has all its hosts.".to_owned(),
        (None, _) if survey.hosts.len() == 1 => "All services are up.".to_owned(),
        (None, _) => "Every service has all its hosts.".to_owned(),
        (Some((name, tally)), all) => {
            let (up, of) = (tally.counts.serving(), tally.counts.hosts);
            let name = shown(name, NAME_MAX);
            let count = lacking.count();
            let lack = if count == 1 { "lacks" } else { "lack" };
            let noun = if all == 1 { "service" } else { "services" };
            format!("{count} of {all} {noun} {lack} hosts; fewest: {name}, {up} of {of}.")
        }
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
