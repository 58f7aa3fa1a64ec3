//! How far hosts are with orders, by what they report.

use crate::cli::wait::acted::Goal;
use crate::fleet::picture::{FleetPicture, has_done};
use crate::fleet::{HostRecord, Order, Report, Selector, Snapshot};
use crate::names::Key;
use crate::spool::unix_now;

/// How far the hosts that orders are for are with them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli::fleet) struct HostsStanding {
    pub(in crate::cli::fleet) done: usize,
    /// Live ones that have not done it.
    pub(in crate::cli::fleet) missing: Vec<String>,
    pub(in crate::cli::fleet) lost: Vec<String>,
}

/// The hosts that the orders of a key are for: those that serve it, or all where nobody does.
pub(in crate::cli::fleet) fn scope(
    snapshot: &Snapshot,
    key: &Key,
    orders: &[&Order],
) -> Vec<String> {
    let serving = serving(snapshot, key, orders);
    if !serving.is_empty() {
        return serving;
    }

    let mut meant = Vec::new();
    for (name, record) in &snapshot.hosts {
        if is_meant(orders, name, record) {
            meant.push(name.clone());
        }
    }

    meant
}

fn serving(snapshot: &Snapshot, key: &Key, orders: &[&Order]) -> Vec<String> {
    let picture = FleetPicture::new(snapshot, key, &Selector::every_host(), unix_now());
    let mut serving = Vec::new();
    for row in picture.rows {
        if is_meant(orders, row.name, row.record) {
            serving.push(row.name.to_owned());
        }
    }

    serving
}

fn is_meant(orders: &[&Order], name: &str, record: &HostRecord) -> bool {
    let mut selectors = orders.iter().map(|order| &order.selector);
    selectors.any(|selector| selector.selects(name, &record.tags))
}

/// How far some hosts are with the orders of a key, and with what is waited for besides.
pub(in crate::cli::fleet) fn standing(
    snapshot: &Snapshot,
    scope: &[String],
    orders: &[&Order],
    goal: Option<Goal>,
) -> HostsStanding {
    let goal = HostGoal {
        snapshot,
        orders,
        goal,
    };

    let mut standing = HostsStanding::default();
    for name in scope {
        // One that was forgotten meanwhile is none.
        let Some(record) = snapshot.hosts.get(name) else {
            continue;
        };
        // A host that is lost is told and not waited for: when its lease ends it may have been dead for a minute.
        if !snapshot.alive.contains(name) {
            standing.lost.push(name.clone());
        } else if goal.is_done(name, record) {
            standing.done += 1;
        } else {
            standing.missing.push(name.clone());
        }
    }

    standing
}

/// What hosts are to have done.
struct HostGoal<'a> {
    snapshot: &'a Snapshot,
    orders: &'a [&'a Order],
    goal: Option<Goal>,
}

impl HostGoal<'_> {
    /// Whether a host has done all of it that is for this host.
    fn is_done(&self, name: &str, record: &HostRecord) -> bool {
        for order in self.orders {
            let is_own = order.selector.selects(name, &record.tags);
            if is_own && !self.has_done(name, record, order) {
                return false;
            }
        }

        true
    }

    fn has_done(&self, name: &str, record: &HostRecord, order: &Order) -> bool {
        // The host alone does not tell that its balancers have acted.
        let report = self.snapshot.report(name, &order.key);
        has_done(self.snapshot, name, record, order) && is_reached(self.goal, report)
    }
}

/// Whether a host's balancers have done what is waited for, by what it reports.
pub(super) fn is_reached(goal: Option<Goal>, report: Option<&Report>) -> bool {
    match (goal, report) {
        (None, _) => true,
        (Some(Goal::Up), report) => report.is_none(),
        (Some(Goal::Out | Goal::Drained), None) => false,
        (Some(Goal::Out), Some(report)) => have_acted(report),
        (Some(Goal::Drained), Some(report)) => have_acted(report) && has_no_sessions(report),
    }
}

fn have_acted(report: &Report) -> bool {
    report.acted >= report.pollers
}

fn has_no_sessions(report: &Report) -> bool {
    // Balancers that tell of no sessions are taken at their word that they have acted.
    report.sessions.unwrap_or(0) == 0
}
