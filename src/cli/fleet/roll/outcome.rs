//! How a host's part ended, by what the engine and the command on this side say.
//!
//! Rules: pure. What the host says counts. A connection that broke says nothing: the host goes on by itself for as long as
//! it has its slot, and one that boots is silent meanwhile.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use crate::fleet::{RollResult, RollState};
use crate::names::text::one_line;

/// `ssh` ends with it where the connection broke or never came to be.
const SSH_FAILED: i32 = 255;

/// How long a host may be silent with its slot: some take long to boot.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// What is known of a host's part.
pub(super) struct Seen<'a> {
    /// What it said since this part began.
    pub(super) result: Option<&'a RollResult>,
    /// Whether it has a slot of this roll.
    pub(super) holds_slot: bool,
    /// For how long it has given no sign of life.
    pub(super) silent: Duration,
    /// How the command on this side ended; `None` where there is none, since another haroll began it.
    pub(super) ended: Option<ExitStatus>,
}

/// How it ended, or that it has not.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PartEnd {
    UnderWay,
    Done,
    /// With the cause.
    Failed(String),
}

/// The outcome, once the command on this side has ended.
pub(super) fn outcome(seen: &Seen<'_>) -> PartEnd {
    match seen.result {
        Some(result) if result.state == RollState::Done => PartEnd::Done,
        Some(result) => PartEnd::Failed(cause(result)),
        None if seen.may_go_on() && seen.silent < SILENCE => PartEnd::UnderWay,
        None => PartEnd::Failed(seen.why_nothing_came()),
    }
}

impl Seen<'_> {
    /// The connection broke, or another haroll's was it, and the host still has its slot.
    fn may_go_on(&self) -> bool {
        let broke = match self.ended {
            Some(status) => !has_ended_there(status),
            None => true,
        };
        broke && self.holds_slot
    }

    fn why_nothing_came(&self) -> String {
        match self.ended {
            _ if self.may_go_on() => "it was lost, and did not come back".to_owned(),
            Some(status) => format!("no result came; {status}"),
            None => "its slot was released without a result".to_owned(),
        }
    }
}

/// Whether the exit status is that of the command there.
fn has_ended_there(status: ExitStatus) -> bool {
    status.signal().is_none() && status.code() != Some(SSH_FAILED)
}

fn cause(result: &RollResult) -> String {
    match result.why.is_empty() {
        true => format!("exit code {}", result.code),
        false => one_line(&result.why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::Version;

    fn result(state: RollState, why: &str) -> RollResult {
        RollResult {
            v: Version,
            state,
            code: 3,
            at: 1,
            why: why.to_owned(),
        }
    }

    fn seen(result: Option<&RollResult>, slot: bool, minutes: u64, code: Option<i32>) -> PartEnd {
        outcome(&Seen {
            result,
            holds_slot: slot,
            silent: Duration::from_secs(60 * minutes),
            ended: code.map(|code| ExitStatus::from_raw(code << 8)),
        })
    }

    #[test]
    fn what_the_host_says_counts_whatever_the_connection_did() {
        let done = result(RollState::Done, "");
        let failed = result(RollState::Failed, "sh failed:\nexit status: 3");
        let silent = result(RollState::Failed, "");
        let cause = |text: &str| PartEnd::Failed(text.to_owned());
        for code in [None, Some(0), Some(1), Some(255)] {
            assert_eq!(seen(Some(&done), false, 0, code), PartEnd::Done);
            assert_eq!(seen(Some(&done), false, 99, code), PartEnd::Done);
            let said = seen(Some(&failed), true, 0, code);
            assert_eq!(said, cause("sh failed: exit status: 3"));
            let said = seen(Some(&silent), true, 0, code);
            assert_eq!(said, cause("exit code 3"));
        }
    }

    #[test]
    fn a_host_whose_connection_broke_is_under_way_for_as_long_as_it_has_its_slot_and_is_not_lost_for_good()
     {
        let cause = |text: &str| PartEnd::Failed(text.to_owned());
        for code in [None, Some(255)] {
            assert_eq!(seen(None, true, 0, code), PartEnd::UnderWay);
            assert_eq!(seen(None, true, 29, code), PartEnd::UnderWay);
            let said = seen(None, true, 30, code);
            assert_eq!(said, cause("it was lost, and did not come back"));
        }
        assert_eq!(
            seen(None, false, 0, Some(255)),
            cause("no result came; exit status: 255")
        );
        assert_eq!(
            seen(None, true, 0, Some(1)),
            cause("no result came; exit status: 1")
        );
        assert_eq!(
            seen(None, false, 0, Some(0)),
            cause("no result came; exit status: 0")
        );
        assert_eq!(
            seen(None, false, 0, None),
            cause("its slot was released without a result")
        );
    }
}
