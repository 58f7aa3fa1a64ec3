//! The wait for a slot, as it is shown: who is out, whenever that changes.

use std::time::{Duration, Instant};

use super::told;
use crate::cli::failure::{Failure, failed};
use crate::cli::fleet::client::{AskLimits, Stopped};
use crate::cli::wait::interrupt::Interrupt;
use crate::cli::wait::progress::Progress;
use crate::fleet::RollId;
use crate::fleet::slots::Admission;

/// A wait.
pub(crate) struct SlotWait<'a> {
    progress: &'a mut Progress,
    pub(super) interrupt: &'a Interrupt,
    /// `--timeout`; without one the others may take as long as they do.
    pub(super) limit: Option<Duration>,
    begin: Instant,
    /// Who was out when it was told last.
    out: Option<Vec<String>>,
    trouble: Option<Failure>,
    /// What is waited for.
    what: String,
}

impl<'a> SlotWait<'a> {
    pub(crate) fn new(
        progress: &'a mut Progress,
        interrupt: &'a Interrupt,
        limit: Option<Duration>,
    ) -> Self {
        Self {
            progress,
            interrupt,
            limit,
            begin: Instant::now(),
            out: None,
            trouble: None,
            what: "the engine has not answered".to_owned(),
        }
    }

    pub(super) fn limits(&self) -> AskLimits<'a> {
        AskLimits {
            end: self.limit.map(|limit| self.begin + limit),
            interrupt: Some(self.interrupt),
        }
    }

    pub(super) fn say_granted(&mut self, roll: &RollId, admissions: &[Admission]) {
        for admission in admissions {
            let standing = told::standing(roll, admission);
            self.progress.say(&standing);
        }
    }

    pub(super) fn say_waiting(&mut self, roll: &RollId, admissions: &[Admission]) {
        self.trouble = None;
        let out = names_out(admissions);
        // Only where somebody else is out than before: a line for each look would bury the ones that matter.
        if self.out.as_ref() != Some(&out) {
            self.say_blocked(roll, admissions);
            self.out = Some(out);
        }

        self.what = told::waited_for(admissions);
        let spent = self.begin.elapsed().as_secs();
        let head = format!("waiting for {}, {spent} s", self.what);
        self.progress.show(&head, &[]);
    }

    fn say_blocked(&mut self, roll: &RollId, admissions: &[Admission]) {
        for admission in admissions {
            self.progress.say(&told::blocked(roll, admission));
            self.progress.say(&told::remedy(admission));
        }
    }

    /// Once for each outage.
    pub(super) fn say_trouble(&mut self, failure: Failure) {
        if self.trouble.is_none() {
            self.progress.say(&format!("{failure} (still waiting)"));
        }

        self.trouble = Some(failure);
    }

    /// Why nothing came of it.
    pub(super) fn ended(&self, stopped: Stopped) -> Failure {
        let what = match &self.trouble {
            Some(trouble) => trouble.to_string(),
            None => format!("waiting for {}", self.what),
        };

        match stopped {
            Stopped::Interrupted(signal) => {
                failed!("slot: interrupted ({}): {what}", signal.as_str())
            }
            Stopped::TimeUp => {
                let limit = self.limit.unwrap_or_default().as_secs_f64();
                failed!("slot: not within {limit} s: {what}")
            }
        }
    }
}

fn names_out(admissions: &[Admission]) -> Vec<String> {
    let hosts = admissions.iter().flat_map(|admission| &admission.out);
    hosts.map(|host| host.name.clone()).collect()
}
