//! The balancers that a wait counts, as they were seen last. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use super::acted::{Goal, Rules, Standing};
use super::guard;
use super::need::Need;
use super::progress::PollerStanding;
use crate::cli::client::DaemonError;
use crate::cli::output::pollers::{label, polls_from};
use crate::cli::output::times;
use crate::ledger::{PollerRow, PollersPage};
use crate::spool::unix_now;

/// How long a daemon must have run before its list of pollers counts as complete, in seconds.
pub(super) const SETTLED: f64 = 30.0;

/// What tells a balancer from all others: address, node, `User-Agent`.
type Balancer<'a> = (IpAddr, &'a Option<String>, &'a Option<String>);

/// Time for a look at what there is before a wait ends, in seconds.
const LAST_LOOK: f64 = 0.3;

pub(super) struct Balancers {
    /// The services or instances that are waited for.
    names: Vec<String>,
    rows: BTreeMap<String, PollerRow>,
    /// Polls later than this, on the daemon's clock, make a poller count.
    from: f64,
    /// The daemon that `from` and the rows' times belong to.
    daemon: String,
    pub(super) rules: Rules,
    /// The time on the daemon's clock.
    now: f64,
    /// The daemon had run, or has run by now, for so long that it knows all who poll.
    pub(super) is_complete: bool,
    /// That more may be missing was told.
    pub(super) is_told_unknown: bool,
    /// Those that sent traffic here at some time of the wait.
    sent_traffic: BTreeSet<String>,
    /// How many pollers the daemon has forgotten lately for want of room.
    pub(super) forgotten: u64,
    /// Why the daemon did not answer last time.
    pub(super) trouble: Option<DaemonError>,
}

impl Balancers {
    /// Those who poll before the change, of all pollers, and those who stopped while they sent traffic.
    pub(super) fn new(before: &PollersPage, names: &[String], rules: Rules, force: bool) -> Self {
        let mut balancers = Self {
            names: names.to_vec(),
            rows: BTreeMap::new(),
            from: before.now,
            daemon: before.daemon.clone(),
            rules,
            now: before.now,
            // The daemon's clock begins with the daemon.
            is_complete: before.now >= SETTLED,
            is_told_unknown: false,
            sent_traffic: BTreeSet::new(),
            forgotten: before.forgotten_lately,
            trouble: None,
        };

        for row in before.of(names).pollers {
            if counts(&row, before, force) {
                balancers.add(row);
            }
        }

        balancers
    }

    fn add(&mut self, row: PollerRow) {
        let id = row.id();
        if row.is_out() == Some(false) {
            // Kept beside the row, which says otherwise once the balancer has acted.
            self.sent_traffic.insert(id.clone());
        }

        self.rows.insert(id, row);
    }

    /// How many count.
    pub(super) fn known(&self) -> usize {
        self.rows.values().map(PollerRow::processes).sum()
    }

    /// Sessions that nobody tells of are given no more time than is left: that they were is told, and no failure.
    pub(super) fn limit_grace(&mut self, left: Duration) {
        let rules = &mut self.rules;
        if rules.acted_at.is_finite() {
            let end = self.now + left.as_secs_f64() - LAST_LOOK;
            rules.grace = rules.grace.min((end - rules.acted_at).max(0.0));
        }
    }

    /// What the slowest of them may need.
    pub(super) fn need(&self) -> Option<Need> {
        Need::of(&self.all(), &self.rules)
    }

    fn all(&self) -> Vec<PollerRow> {
        self.rows.values().cloned().collect()
    }

    /// Takes in what the daemon says of all pollers now.
    pub(super) fn take(&mut self, page: &PollersPage) {
        self.take_clock(page);
        // Once known, always known: a daemon that is restarted meanwhile has a clock that begins at 0.
        self.is_complete |= page.now >= SETTLED;
        self.rules.weights = page.agent_weights;
        self.forgotten = page.forgotten_lately;
        self.trouble = None;
        self.take_rows(page);
        if self.rules.acted_at.is_infinite() && self.have_acted() {
            self.rules.acted_at = self.now;
        }
    }

    fn take_clock(&mut self, page: &PollersPage) {
        if page.daemon != self.daemon {
            self.take_new_daemon(page);
        } else if self.rules.since.is_infinite() {
            // The first look after the change.
            self.rules.since = page.now;
        }

        self.now = page.now;
    }

    fn take_rows(&mut self, page: &PollersPage) {
        for row in page.of(&self.names).pollers {
            // One that polled before the change and had stopped long ago does not count.
            let is_new = row.polled_at > self.from && row.counts();
            if is_new || self.rows.contains_key(&row.id()) {
                self.add(row);
            }
        }

        // In MAINT a balancer polls its other servers only, and sends no traffic here.
        let may_come_back = |row: &PollerRow| row.is_polling(page.now) || !polls_others(row, page);
        self.rows.retain(|_, row| may_come_back(row));
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

    /// Whether none sends new traffic any more, whatever their sessions.
    pub(super) fn have_acted(&self) -> bool {
        let mut rows = self.rows.values();
        rows.all(|row| self.acts(row))
    }

    /// Whether the sessions of one are unknown.
    pub(super) fn hide_sessions(&self) -> bool {
        let mut rows = self.rows.values();
        rows.any(|row| row.known_sessions().is_none())
    }

    /// What a balancer says that has no server left of a backend to which it sent traffic.
    pub(super) fn emptied(&self) -> Option<String> {
        // One that sent no traffic here loses none.
        let mut sent = Vec::new();
        for (id, row) in &self.rows {
            if self.sent_traffic.contains(id) {
                sent.push(row);
            }
        }

        guard::emptied(&sent, &self.all())
    }

    /// `12 of 41 balancers have acted`, and how many are done with sessions.
    pub(super) fn count(&self) -> String {
        let acted = self.for_all_servers(|row| self.acts(row));
        let acted_count = how_many(&acted);
        let count = count_words(acted.len(), acted_count);
        // Before anybody has acted, nobody can be done either.
        if self.rules.goal != Goal::Drained || acted_count == 0 {
            return count;
        }

        let done = self.for_all_servers(|row| self.standing(row).is_done());
        format!("{count}, {} done", how_many(&done))
    }

    /// For each balancer, whether something is so for all the servers that it polls.
    fn for_all_servers(&self, is_so: impl Fn(&PollerRow) -> bool) -> BTreeMap<Balancer<'_>, bool> {
        let mut balancers = BTreeMap::new();
        for row in self.rows.values() {
            let balancer = (row.address, &row.node, &row.user_agent);
            *balancers.entry(balancer).or_insert(true) &= is_so(row);
        }

        balancers
    }

    fn acts(&self, row: &PollerRow) -> bool {
        self.rules.has_acted(row, self.now)
    }

    /// Those that one of these names takes out of rotation.
    pub(super) fn rows_of(&self, name: String) -> Vec<&PollerRow> {
        let name = [name];
        let rows = self.rows.values();
        rows.filter(|row| row.is_taken_down_by(&name)).collect()
    }

    /// Where each balancer stands.
    pub(super) fn standings(&self) -> Vec<PollerStanding> {
        let all = self.all();
        let mut standings = Vec::new();
        for row in &all {
            standings.push(PollerStanding {
                label: label_among(row, &all),
                id: row.id(),
                has_acted: self.acts(row),
                standing: self.standing(row),
            });
        }

        standings
    }

    fn standing(&self, row: &PollerRow) -> Standing {
        let stopped_before = row.polled_at <= self.from && !row.is_polling(self.from);
        if !stopped_before {
            return self.rules.judge(row, self.now);
        }

        let last = times::clock(unix_now() - (self.now - row.polled_at));
        Standing::Waiting(format!(
            "no poll since {last}; in MAINT it sends none; --force goes on"
        ))
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

/// Whether a poller counts from the beginning.
fn counts(row: &PollerRow, before: &PollersPage, force: bool) -> bool {
    if row.is_polling(before.now) {
        return row.counts();
    }

    // In MAINT a balancer sends no poll, and may come back while the server is being worked at.
    !force && stopped_in_traffic(row) && !polls_others(row, before)
}

/// Its label, with the service where several are waited for.
fn label_among(row: &PollerRow, all: &[PollerRow]) -> String {
    let label = label(row, all);
    let service = &row.service;
    let is_only_service = all.iter().all(|other| other.service == *service);
    match is_only_service {
        true => label,
        false => format!("{service} {label}"),
    }
}

fn how_many(balancers: &BTreeMap<Balancer, bool>) -> usize {
    balancers.values().filter(|is_so| **is_so).count()
}

/// `12 of 41 balancers have acted`.
fn count_words(all: usize, acted: usize) -> String {
    match all {
        0 => "no balancer is known".to_owned(),
        1 => format!("{acted} of 1 balancer has acted"),
        _ => format!("{acted} of {all} balancers have acted"),
    }
}

/// Whether a balancer that does not poll any more sent traffic when it polled last.
fn stopped_in_traffic(row: &PollerRow) -> bool {
    row.node.is_some() && row.is_out() == Some(false) && row.counts()
}

/// Whether the balancer goes on polling other servers here.
fn polls_others(row: &PollerRow, everybody: &PollersPage) -> bool {
    let mut polling = everybody.pollers.iter();
    polling.any(|other| other.is_polling(everybody.now) && is_later_of_same(row, other))
}

/// Whether another row is of the same balancer, and of another server that it polled later.
fn is_later_of_same(row: &PollerRow, other: &PollerRow) -> bool {
    // Without a node, two balancers behind one address would be taken for one.
    other.node.is_some()
        && (&other.node, other.address) == (&row.node, row.address)
        && other.server != row.server
        && other.polled_at > row.polled_at
}
