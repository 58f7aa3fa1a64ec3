//! Which hosts are out of rotation, as each host of a roll would judge it: how they are named, and what helps.

use std::collections::BTreeSet;

use super::begin::RollPlan;
use crate::cli::fleet::output::cause;
use crate::cli::fleet::slot::told::{in_slot, remedy};
use crate::fleet::Snapshot;
use crate::fleet::rolling::{Next, Over, RollHost, next};
use crate::fleet::slots::{Admission, OutCause, SlotScope};

/// Most hosts of which is told why they are out.
const NAMED: usize = 5;

/// The hosts that are out.
pub(super) struct OutHosts {
    /// By name, with the cause.
    admission: Admission,
    names: BTreeSet<String>,
    /// The hosts of the roll that give no sign of life.
    lost: BTreeSet<String>,
}

impl OutHosts {
    pub(super) fn new(snapshot: &Snapshot, plan: &RollPlan, hosts: &[RollHost]) -> Self {
        let scope = SlotScope {
            selector: plan.record.selector.clone(),
            per: None,
        };

        // As of a host without a name, to which all others are others.
        let admission = Admission::new(snapshot, &plan.record.key, &scope, "", plan.max_down);
        let lost = lost(snapshot, hosts);
        let out = admission.out.iter().map(|host| host.name.clone());
        Self {
            names: out.chain(lost.iter().cloned()).collect(),
            admission,
            lost,
        }
    }

    pub(super) fn is_lost(&self, host: &str) -> bool {
        self.lost.contains(host)
    }

    /// Why a host is out; `None` where it is not.
    pub(super) fn cause(&self, host: &str) -> Option<&OutCause> {
        let found = self.admission.out.iter().find(|out| out.name == host)?;
        Some(&found.cause)
    }

    /// What a roll does next.
    pub(super) fn next(&self, plan: &RollPlan, hosts: &[RollHost]) -> Next {
        self.next_of(plan, hosts, plan.max_failed)
    }

    fn next_of(&self, plan: &RollPlan, hosts: &[RollHost], max_failed: usize) -> Next {
        next(hosts, plan.max_down, max_failed, &self.names, &self.lost)
    }

    /// A sentence with who is out behind it, and below it what helps where nothing can begin.
    pub(super) fn told(
        &self,
        head: &str,
        snapshot: &Snapshot,
        plan: &RollPlan,
        hosts: &[RollHost],
    ) -> Vec<String> {
        if self.admission.out.is_empty() {
            return vec![head.to_owned()];
        }

        let list = self.listed(snapshot);
        // Whatever has failed: what is told here is who is out, and why a roll ends is told at its end.
        match self.next_of(plan, hosts, usize::MAX) {
            Next::Begin(_) | Next::Wait | Next::Over(Over::Done) => {
                vec![format!("{head}; now out: {list}")]
            }
            Next::Blocked | Next::Over(_) => vec![
                format!("{head}; now out: {list}, so nothing can begin"),
                remedy(&self.admission),
            ],
        }
    }

    /// `web07 (lost), web12 (local by carol: bad RAM)`.
    fn listed(&self, snapshot: &Snapshot) -> String {
        let mut shown = Vec::new();
        for out in self.admission.out.iter().take(NAMED) {
            let why = why(snapshot, &out.cause);
            shown.push(format!("{} ({why})", out.name));
        }

        let list = shown.join(", ");
        match self.admission.out.len().saturating_sub(NAMED) {
            0 => list,
            more => format!("{list} and {more} more"),
        }
    }
}

/// The hosts of a roll that give no sign of life: also those whose record is gone, so that nothing else tells of them.
fn lost(snapshot: &Snapshot, hosts: &[RollHost]) -> BTreeSet<String> {
    let mut lost = BTreeSet::new();
    for host in hosts {
        if !snapshot.alive.contains(&host.name) {
            lost.insert(host.name.clone());
        }
    }

    lost
}

/// Why a host is out.
pub(super) fn why(snapshot: &Snapshot, why: &OutCause) -> String {
    match why {
        OutCause::Lost => "lost".to_owned(),
        OutCause::Down(report) => cause(snapshot, report),
        OutCause::InSlot(slot) => in_slot(slot),
    }
}
