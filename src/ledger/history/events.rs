//! What changed lately on this host: at most 200 events, and of one check at most eight, so that one that comes and
//! goes does not push out what somebody did.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Most events that are kept.
const EVENTS_MAX: usize = 200;

/// Most of them of one check.
const OF_CHECK_MAX: usize = 8;

/// From so many changes of one check on, they are told as one.
const FLAPS_FROM: usize = 5;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// The daemon started.
    Start,
    /// A downtime came into force.
    Down,
    /// A downtime was lifted, or ended.
    Lifted,
    /// A check began to fail.
    Fail,
    /// A check passes again.
    Pass,
    /// A check failed and passed again several times.
    Flap,
    /// The spool could not be read, or can be read again.
    Spool,
    /// A group went down, or is up again.
    Group,
}

impl EventKind {
    /// All that happen; [`Self::Flap`] is several of them.
    const COUNTED: [Self; 7] = [
        Self::Start,
        Self::Down,
        Self::Lifted,
        Self::Fail,
        Self::Pass,
        Self::Spool,
        Self::Group,
    ];

    /// As it stands in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Down => "down",
            Self::Lifted => "lifted",
            Self::Fail => "fail",
            Self::Pass => "pass",
            Self::Flap => "flap",
            Self::Spool => "spool",
            Self::Group => "group",
        }
    }
}

/// One change. Times are seconds of unix time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostEvent {
    /// When it was noticed.
    pub at: f64,
    /// What happened.
    pub kind: EventKind,
    /// The service, the downtime's name, or the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The check as it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Why: a reason, a cause. None where something is well again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Who took it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When a downtime ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<f64>,
    /// How long what has ended lasted, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<f64>,
    /// Whether a downtime ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<bool>,
    /// When a check that comes and goes did so first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// How often it failed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

impl HostEvent {
    /// One of which no more is known.
    #[must_use]
    pub fn new(at: f64, kind: EventKind) -> Self {
        Self {
            at,
            kind,
            service: None,
            check: None,
            text: None,
            by: None,
            until: None,
            after: None,
            expired: None,
            from: None,
            times: None,
        }
    }

    /// Whether it stands for all changes of another one's check.
    fn is_flap_of(&self, other: &Self) -> bool {
        self.kind == EventKind::Flap && self.is_of_same_check(other)
    }

    fn is_of_same_check(&self, other: &Self) -> bool {
        // Downtimes and starts are of no check, and each of them is told.
        self.check.is_some() && (&self.service, &self.check) == (&other.service, &other.check)
    }
}

/// The events, the newest last.
#[derive(Debug, Default)]
pub struct Events {
    kept: VecDeque<HostEvent>,
    /// Events that there ever were, in the order of [`EventKind::COUNTED`].
    counts: [u64; EventKind::COUNTED.len()],
}

impl Events {
    /// Notes an event. One of its check makes room when there are many of that, else the oldest.
    pub fn push(&mut self, event: HostEvent) {
        self.count(event.kind);
        self.make_room(&event);
        self.kept.push_back(event);
    }

    fn count(&mut self, kind: EventKind) {
        let place = EventKind::COUNTED.iter().position(|known| *known == kind);
        if let Some(place) = place {
            self.counts[place] += 1;
        }
    }

    fn make_room(&mut self, new: &HostEvent) {
        let places = 0..self.kept.len();
        let mut same = places.filter(|place| self.kept[*place].is_of_same_check(new));
        match (same.next(), same.count()) {
            // Whether there is room or not: of a check that comes and goes the last ones tell all.
            (Some(oldest), others) if others + 1 >= OF_CHECK_MAX => {
                self.kept.remove(oldest);
            }
            _ if self.kept.len() >= EVENTS_MAX => {
                self.kept.pop_front();
            }
            _ => {}
        }
    }

    /// Events that there ever were, by kind.
    #[must_use]
    pub fn counts(&self) -> Vec<(EventKind, u64)> {
        EventKind::COUNTED.into_iter().zip(self.counts).collect()
    }

    /// The events, the newest first; a check that came and went often is one.
    #[must_use]
    pub fn told(&self) -> Vec<HostEvent> {
        let mut told: Vec<HostEvent> = Vec::new();
        for event in self.kept.iter().rev() {
            let is_part = told.iter().any(|known| known.is_flap_of(event));
            if !is_part {
                told.push(self.flap(event).unwrap_or_else(|| event.clone()));
            }
        }

        told
    }

    /// What a check did altogether, if this is its newest event and there are many.
    fn flap(&self, newest: &HostEvent) -> Option<HostEvent> {
        let same = self.kept.iter().filter(|e| e.is_of_same_check(newest));
        let all: Vec<&HostEvent> = same.collect();
        if all.len() < FLAPS_FROM {
            return None;
        }

        let mut fails = all.iter().filter(|e| e.kind == EventKind::Fail);
        let times = fails.clone().count();
        // Why it failed is worth more than that it passes now.
        let cause = fails.next_back().and_then(|fail| fail.text.clone());
        Some(HostEvent {
            kind: EventKind::Flap,
            text: cause,
            after: None,
            from: all.first().map(|e| e.at),
            times: u64::try_from(times).ok(),
            ..newest.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_check(at: u32, kind: EventKind, check: &str) -> HostEvent {
        HostEvent {
            service: Some("web".into()),
            check: Some(check.into()),
            text: (kind == EventKind::Fail).then(|| format!("failure {at}")),
            ..HostEvent::new(f64::from(at), kind)
        }
    }

    fn flapping(events: &mut Events, from: u32, changes: u32, check: &str) {
        for at in from..from + changes {
            let kind = if at % 2 == 0 {
                EventKind::Fail
            } else {
                EventKind::Pass
            };
            events.push(of_check(at, kind, check));
        }
    }

    #[test]
    fn no_more_than_200_are_kept_and_all_are_counted() {
        let mut events = Events::default();
        for at in 0..1000 {
            events.push(HostEvent::new(f64::from(at), EventKind::Down));
        }
        assert_eq!(events.kept.len(), 200);
        let told = events.told();
        assert_eq!((told[0].at, told[199].at), (999.0, 800.0));
        assert_eq!(events.counts()[1], (EventKind::Down, 1000));
    }

    #[test]
    fn a_check_that_comes_and_goes_pushes_out_only_itself() {
        let mut events = Events::default();
        events.push(HostEvent::new(0.0, EventKind::Start));
        flapping(&mut events, 1, 1000, "tcp a");
        assert_eq!(events.kept.len(), 9);
        assert_eq!(
            events.told().last(),
            Some(&HostEvent::new(0.0, EventKind::Start))
        );
    }

    #[test]
    fn a_check_that_comes_and_goes_is_told_as_one() {
        let mut events = Events::default();
        flapping(&mut events, 0, 4, "tcp a");
        assert_eq!(events.told().len(), 4);
        events.push(HostEvent::new(4.0, EventKind::Spool));
        flapping(&mut events, 5, 2, "tcp a");
        flapping(&mut events, 7, 1, "tcp b");
        let told = events.told();
        let kinds: Vec<EventKind> = told.iter().map(|e| e.kind).collect();
        assert_eq!(kinds, [EventKind::Pass, EventKind::Flap, EventKind::Spool]);
        let flap = &told[1];
        assert_eq!((flap.at, flap.from, flap.times), (6.0, Some(0.0), Some(3)));
        assert_eq!(flap.text.as_deref(), Some("failure 6"));
    }
}
