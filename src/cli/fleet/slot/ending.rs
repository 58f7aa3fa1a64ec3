//! How a roll ends on this host: its slot is given back, or kept.
//!
//! Rule: what is not known to be done is said not to be, with the command that mends it.

use std::time::{Duration, Instant};

use super::{RollSlot, SOON, SlotWait};
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::client::{AskLimits, EngineAnswer};
use crate::fleet::engine::Engine;
use crate::fleet::slots::Ending;
use crate::fleet::{RollResult, RollState, now_micros};
use crate::names::text::beginning;

/// How long the release may take unless told otherwise.
const RELEASE: Duration = Duration::from_secs(60);

/// Why an ending is not known to be done.
const NO_ANSWER: &str = "etcd did not answer in time";

/// Most bytes of what failed, in the result.
const WHY_MAX: usize = 4096;

impl RollSlot {
    /// Gives the slot back: this host is seen up.
    pub(crate) fn release(mut self, wait: &SlotWait<'_>) -> Result<String, Failure> {
        let result = result(RollState::Done, 0, "");
        let end = Instant::now() + wait.limit.unwrap_or(RELEASE);
        let limits = AskLimits {
            end: Some(end),
            interrupt: Some(wait.interrupt),
        };
        let had = self.holder.holds();
        while let Some(trouble) = self.try_to_release(limits, &result)? {
            if Instant::now() >= end {
                return Err(self.unreleased(&trouble));
            }

            std::thread::sleep(SOON);
        }

        let (host, roll) = (self.host().to_owned(), self.roll().clone());
        let is_lost = had && self.holder.is_lost();
        // Only now: where the release fails, --finish goes on from what stands there.
        self.files.remove()?;
        Ok(match is_lost {
            false => format!("roll {roll}: {host} is done, and its slot is free"),
            true => format!("roll {roll}: {host} is done; somebody else released its slot before"),
        })
    }

    /// Tries once; gives what kept it from being done, where another try may do it.
    fn try_to_release(
        &mut self,
        limits: AskLimits<'_>,
        result: &RollResult,
    ) -> Result<Option<String>, Failure> {
        match self.end(limits, result, Ending::Released) {
            EngineAnswer::Got(true) => Ok(None),
            EngineAnswer::Got(false) => Ok(Some(NO_ANSWER.to_owned())),
            EngineAnswer::Trouble(failure, false) => Ok(Some(failure.to_string())),
            EngineAnswer::Trouble(failure, true) => Err(self.unreleased(&failure.to_string())),
            EngineAnswer::Stopped(_) => Err(self.unreleased(NO_ANSWER)),
        }
    }

    fn unreleased(&self, trouble: &str) -> Failure {
        let host = self.host();
        failed!(
            "{host} is in rotation again, but its slot is not released: {trouble}\n\
             others wait for it until 'hacheck fleet release {host} -r WHY'"
        )
    }

    /// Keeps the slot after a failure, and says so.
    pub(crate) fn keep(mut self, failure: Failure) -> Failure {
        "failed".clone_into(&mut self.kept.phase);
        // What cannot be written says that the command had begun: then --finish may look whether it is healthy.
        let _ = self.files.write(&self.kept);
        let result = result(RollState::Failed, failure.code, &failure.message);
        let limits = self.soon();
        let ended = self.end(limits, &result, Ending::Kept);
        let (host, roll) = (self.host(), self.roll());
        let failure = failure.and_line(format!(
            "{host} keeps its slot in roll {roll}, so that others wait: repair it and run this again, or \
             'hacheck fleet release {host} -r WHY'"
        ));
        self.with_doubt(failure, &ended)
    }

    /// Gives back what this roll took, as nothing was changed; what a failed one left here stays.
    pub(crate) fn give_back(mut self, failure: Failure) -> Failure {
        let result = result(RollState::Failed, failure.code, &failure.message);
        let limits = self.soon();
        let ended = self.end(limits, &result, Ending::GivenBack);
        let failure = match self.holder.holds() {
            false => failure,
            true => failure.and_line(format!("{} keeps the slot that it had", self.host())),
        };
        self.with_doubt(failure, &ended)
    }

    fn end(
        &mut self,
        limits: AskLimits<'_>,
        result: &RollResult,
        ending: Ending,
    ) -> EngineAnswer<bool> {
        let holder = &mut self.holder;
        let ending = async |engine: &mut Engine| holder.end(engine, result, ending).await;
        self.client.ask(limits, ending)
    }

    fn with_doubt(&self, failure: Failure, ended: &EngineAnswer<bool>) -> Failure {
        let trouble = match ended {
            EngineAnswer::Got(true) => return failure,
            EngineAnswer::Trouble(trouble, _) => trouble.to_string(),
            EngineAnswer::Got(false) | EngineAnswer::Stopped(_) => NO_ANSWER.to_owned(),
        };

        failure.and_line(format!("the fleet does not know of it: {trouble}"))
    }
}

fn result(state: RollState, code: u8, why: &str) -> RollResult {
    RollResult {
        state,
        code,
        at: now_micros(),
        why: beginning(why, WHY_MAX).to_owned(),
        ..RollResult::default()
    }
}
