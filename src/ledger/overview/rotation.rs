//! What state a check is in: decided here and nowhere else, by what its pollers were told and what balancers make of it.

use serde::{Deserialize, Serialize};

use super::PollingRow;
use crate::ledger::Told;

/// A poller that says nothing of itself is taken to have acted once it was told so this often: HAProxy's `fall`.
const ACTS_AFTER: u64 = 3;

/// A check's place in rotation, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rotation {
    /// The check fails.
    Failing,
    /// It was taken down, and some balancer has not acted on that yet.
    Leaving,
    /// It passes, and some balancer sends it no traffic yet.
    Returning,
    /// No balancer sends it new traffic, and some have sessions left.
    Draining,
    /// No balancer sends it traffic.
    Down,
    /// Nobody polls it.
    Silent,
    /// It takes traffic.
    In,
}

impl Rotation {
    /// All of them.
    pub(crate) const WORST_FIRST: [Self; 7] = [
        Self::Failing,
        Self::Leaving,
        Self::Returning,
        Self::Draining,
        Self::Down,
        Self::Silent,
        Self::In,
    ];

    /// As it stands in JSON.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Leaving => "leaving",
            Self::Returning => "returning",
            Self::Draining => "draining",
            Self::Down => "down",
            Self::Silent => "silent",
            Self::In => "in",
        }
    }

    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Leaving => "leaving",
            Self::Returning => "coming back",
            Self::Draining => "draining",
            Self::Down => "down by hand",
            Self::Silent => "not asked",
            Self::In => "in rotation",
        }
    }

    /// A sign for a terminal, told apart without colour.
    pub(crate) fn sign(self) -> char {
        match self {
            Self::Failing => '!',
            Self::Leaving => '<',
            Self::Returning => '>',
            Self::Draining => '~',
            Self::Down => '-',
            Self::Silent => '?',
            Self::In => '+',
        }
    }

    /// Decides. The pollers are those of one check; `told` is what the last of them was told.
    #[must_use]
    pub fn of(told: Option<Told>, pollers: &[PollingRow]) -> Self {
        // Who has stopped sends no traffic, or none that anybody knows of.
        let polling: Vec<&PollingRow> = pollers.iter().filter(|p| p.polling).collect();
        if polling.is_empty() {
            return Self::Silent;
        }

        match told {
            Some(Told::Fail) => Self::Failing,
            Some(Told::Down | Told::Drain) => Self::taken_down(&polling),
            // While the first probe runs, nothing speaks against it.
            Some(Told::Up) | None => Self::told_up(&polling),
        }
    }

    fn taken_down(polling: &[&PollingRow]) -> Self {
        // One balancer that still sends is enough: the operator must not stop the service yet.
        if polling.iter().any(|p| !has_left(p)) {
            Self::Leaving
        } else if polling.iter().any(|p| p.sessions > Some(0)) {
            Self::Draining
        } else {
            Self::Down
        }
    }

    fn told_up(polling: &[&PollingRow]) -> Self {
        // Those that do not say what they see are taken to have come back at once.
        if polling.iter().any(|p| p.out == Some(true)) {
            Self::Returning
        } else {
            Self::In
        }
    }
}

/// Whether a poller sends no new traffic, as far as can be known.
fn has_left(poller: &PollingRow) -> bool {
    poller.out.unwrap_or_else(|| was_told(poller))
}

/// Whether a poller that does not say what it sees was told often enough.
fn was_told(poller: &PollingRow) -> bool {
    !matches!(poller.told, None | Some(Told::Up)) && poller.run >= ACTS_AFTER
}

/// Whether a poller has acted on an answer other than "up"; `None` when there is none to act on.
#[must_use]
pub fn acted(poller: &PollingRow) -> Option<bool> {
    match poller.told {
        None | Some(Told::Up) => None,
        Some(_) => Some(has_left(poller)),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ledger::View;

    /// A balancer that polls, says what it sees, and has so many sessions.
    fn says(view: View, told: Told, sessions: u32) -> PollingRow {
        PollingRow {
            node: Some("lb1".into()),
            view: Some(view),
            out: Some(view != View::Up),
            sessions: Some(sessions),
            ..told_times(told, 9)
        }
    }

    /// A poller that says nothing of itself.
    pub(in crate::ledger::overview) fn told_times(told: Told, run: u64) -> PollingRow {
        PollingRow {
            node: None,
            server: None,
            user_agent: None,
            address: [10, 0, 0, 1].into(),
            interval: Some(2.0),
            polls: run,
            polling: true,
            polled: 0.0,
            view: None,
            state: None,
            out: None,
            sessions: None,
            sessions_at_close: None,
            weight: None,
            told: Some(told),
            code: 200,
            told_at: 0.0,
            run,
            acted: None,
        }
    }

    fn gone(poller: PollingRow) -> PollingRow {
        PollingRow {
            polling: false,
            ..poller
        }
    }

    #[test]
    fn the_state_of_a_check() {
        use Rotation::{Down, Draining, Failing, In, Leaving, Returning, Silent};
        use Told::{Drain, Fail, Up};
        use View::NoLb;
        let up = |told| says(View::Up, told, 3);
        let out = |told, sessions| says(View::Down, told, sessions);
        let down = Told::Down;
        let table = [
            (None, vec![], Silent),
            (Some(Fail), vec![], Silent),
            (Some(down), vec![gone(up(down))], Silent),
            (None, vec![up(Up)], In),
            (None, vec![out(Up, 0)], Returning),
            (Some(Up), vec![up(Up), up(Up)], In),
            (Some(Up), vec![up(Up), out(Up, 0)], Returning),
            (Some(Up), vec![up(Up), gone(out(Up, 0))], In),
            (Some(Up), vec![told_times(Up, 1)], In),
            (Some(Fail), vec![up(Fail)], Failing),
            (Some(Fail), vec![out(Fail, 0), told_times(Fail, 9)], Failing),
            (Some(down), vec![up(down)], Leaving),
            (Some(down), vec![out(down, 0), up(Up)], Leaving),
            (Some(down), vec![out(down, 0), gone(up(down))], Down),
            (Some(down), vec![told_times(down, 2)], Leaving),
            (Some(down), vec![told_times(down, 3)], Down),
            (Some(down), vec![told_times(Up, 9), out(down, 0)], Leaving),
            (Some(down), vec![out(down, 0), out(down, 1)], Draining),
            (Some(down), vec![out(down, 1), up(down)], Leaving),
            (Some(down), vec![says(NoLb, down, 2)], Draining),
            (Some(down), vec![says(NoLb, down, 0)], Down),
            (Some(Drain), vec![up(Drain)], Leaving),
            (Some(Drain), vec![out(Drain, 4)], Draining),
            (Some(Drain), vec![told_times(Drain, 3)], Down),
        ];
        for (told, pollers, state) in table {
            assert_eq!(Rotation::of(told, &pollers), state, "{told:?} {pollers:?}");
        }
    }

    #[test]
    fn whether_a_poller_acted() {
        let table = [
            (says(View::Up, Told::Up, 0), None),
            (says(View::Up, Told::Down, 0), Some(false)),
            (says(View::Down, Told::Fail, 0), Some(true)),
            (told_times(Told::Down, 2), Some(false)),
            (told_times(Told::Down, 3), Some(true)),
            (told_times(Told::Up, 3), None),
        ];
        for (poller, expected) in table {
            assert_eq!(acted(&poller), expected, "{poller:?}");
        }
    }

    #[test]
    fn states_are_in_the_order_of_their_list() {
        assert!(Rotation::WORST_FIRST.is_sorted());
    }

    #[test]
    fn a_state_is_called_the_same_everywhere() {
        for state in Rotation::WORST_FIRST {
            assert_eq!(serde_json::json!(state), state.word());
        }
    }
}
