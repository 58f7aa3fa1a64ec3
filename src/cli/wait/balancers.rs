//! The balancers that a wait counts, as they were seen last. Pure.

use std::collections::BTreeMap;

use super::acted::Rules;
use super::progress::PollerStanding;
use crate::cli::client::DaemonError;
use crate::cli::output::pollers::{label, polls_from};
use crate::ledger::{PollerRow, PollersPage};

pub(super) struct Balancers {
    rows: BTreeMap<String, PollerRow>,
    /// Polls later than this, on the daemon's clock, make a poller count.
    from: f64,
    /// The daemon that `from` and the rows' times belong to.
    daemon: String,
    rules: Rules,
    /// The time on the daemon's clock.
    now: f64,
    /// How many pollers the daemon has forgotten lately for want of room.
    pub(super) forgotten: u64,
    /// Why the daemon did not answer last time.
    pub(super) trouble: Option<DaemonError>,
}

impl Balancers {
    /// Those who poll before the change.
    pub(super) fn new(before: &PollersPage, rules: Rules) -> Self {
        let mut balancers = Self {
            rows: BTreeMap::new(),
            from: before.now,
            daemon: before.daemon.clone(),
            rules,
            now: before.now,
            forgotten: before.forgotten_lately,
            trouble: None,
        };
        for row in &before.pollers {
            if row.is_polling(before.now) && row.counts() {
                balancers.rows.insert(row.id(), row.clone());
            }
        }
        balancers
    }

    /// How many count.
    pub(super) fn known(&self) -> usize {
        self.rows.len()
    }

    /// Takes in what the daemon says now.
    pub(super) fn take(&mut self, page: &PollersPage) {
        if page.daemon != self.daemon {
            self.take_new_daemon(page);
        } else if self.rules.since.is_infinite() {
            // The first look after the change.
            self.rules.since = page.now;
        }
        self.now = page.now;
        self.rules.weights = page.agent_weights;
        self.forgotten = page.forgotten_lately;
        self.trouble = None;
        for row in &page.pollers {
            let id = row.id();
            // One that polled before the change and had stopped long ago does not count.
            let is_new = row.polled_at > self.from && row.counts();
            if is_new || self.rows.contains_key(&id) {
                self.rows.insert(id, row.clone());
            }
        }
    }

    /// A new daemon has a clock of its own: all that it has seen came after the change, and it has
    /// answered nobody yet.
    fn take_new_daemon(&mut self, page: &PollersPage) {
        self.daemon.clone_from(&page.daemon);
        self.from = -1.0;
        self.rules.since = -1.0;
        for row in self.rows.values_mut() {
            row.told = None;
            row.polled_at = page.now;
        }
    }

    /// Where each balancer stands.
    pub(super) fn standings(&self) -> Vec<PollerStanding> {
        let rows: Vec<PollerRow> = self.rows.values().cloned().collect();
        let several_services = rows.iter().any(|row| row.service != rows[0].service);
        let mut standings = Vec::new();
        for row in &rows {
            let mut label = label(row, &rows);
            if several_services {
                label = format!("{} {label}", row.service);
            }
            standings.push(PollerStanding {
                label,
                id: row.id(),
                standing: self.rules.judge(row, self.now),
            });
        }
        standings
    }

    /// Who has not acted, and why.
    pub(super) fn waiting(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        for (row, balancer) in self.rows.values().zip(self.standings()) {
            if !balancer.standing.is_done() {
                reasons.push(format!("{}{}", balancer.text(), polls_from(row)));
            }
        }
        reasons
    }
}
