//! From what the ledger remembers of pollers to the rows of `/overview`.

use std::collections::HashMap;

use super::super::entries;
use crate::daemon::state::Live;
use crate::ledger::history::{CheckHistory, minute};
use crate::ledger::overview::{CheckRow, DowntimeRow, PollingRow, Rotation, ServiceRow, acted};
use crate::ledger::{AskedCheck, Moment, PollerRecord, Told};
use crate::names::text::shown;
use crate::net::Host;
use crate::spool::{ALL, ServiceName, unix_seconds};

/// Most checks of one service.
const CHECKS_MAX: usize = 16;

/// Most pollers of one check.
const POLLERS_MAX: usize = 64;

/// Most of a path or a name that is shown, in characters.
const NAME_MAX: usize = 300;

/// Who came so seldom, and comes no more, was no poller.
const PASSER_BY: u64 = 3;

/// What rows are made with.
pub(super) struct RowMaker<'a> {
    pub(super) now: Moment,
    pub(super) live: &'a Live,
    pub(super) downtimes: &'a [DowntimeRow],
}

impl RowMaker<'_> {
    /// The services that pollers ask for, in no order.
    pub(super) fn services(&self, records: &[PollerRecord]) -> Vec<ServiceRow> {
        let mut checks: HashMap<(&ServiceName, &AskedCheck), Vec<&PollerRecord>> = HashMap::new();
        for record in records.iter().filter(|record| is_poller(record)) {
            let poller = &record.poller;
            let key = (&poller.service, &poller.check);
            checks.entry(key).or_default().push(record);
        }
        let mut services: HashMap<&ServiceName, Vec<CheckRow>> = HashMap::new();
        for ((service, _), records) in &checks {
            let row = self.check(records);
            if !is_of_passers_by(&row) {
                services.entry(service).or_default().push(row);
            }
        }
        services
            .into_iter()
            .map(|(name, checks)| service(name, checks))
            .collect()
    }

    /// One check, by all that poll it; there is one at least.
    fn check(&self, records: &[&PollerRecord]) -> CheckRow {
        let mut pollers: Vec<PollingRow> =
            records.iter().map(|record| self.poller(record)).collect();
        pollers.sort_by(|a, b| poller_order(a).cmp(&poller_order(b)));
        let record = records[0];
        let this_host = self.live.this_host();
        let names = entries::names(&record.poller, &record.stated, this_host, false);
        let history = record.history.lock();
        let state = Rotation::of(history.told, &pollers);
        pollers.truncate(POLLERS_MAX);
        let ask = ask(record);
        CheckRow {
            check: record.poller.check.to_string(),
            probe: match history.told {
                Some(Told::Fail) => probe_words(record, &ask),
                _ => Vec::new(),
            },
            ask,
            downtime: self.downtime(&names),
            names,
            told: history.told,
            state,
            since: history.told.map(|_| to_ms(history.since)),
            code: history.code,
            text: history.text.to_string(),
            checked: history.probe.map(|probe| to_ms(unix_seconds(probe.ended))),
            took: history.probe.map(|probe| to_us(probe.took.as_secs_f64())),
            limit: self.limit(record),
            last_fail: history.last_fail.clone(),
            hour: self.hour(&history),
            pollers,
        }
    }

    fn hour(&self, history: &CheckHistory) -> String {
        history.hour.until(minute(self.now.since_start)).to_string()
    }

    /// How long its probe may take, in seconds.
    fn limit(&self, record: &PollerRecord) -> f64 {
        let service = record.poller.service.as_str();
        let own = record.check().and_then(|check| check.target.limit);
        let usual = self.live.config.probe.timeout_of(service);
        own.unwrap_or(usual).as_secs_f64()
    }

    /// The downtime that counts among those of these names: by rank as the gate has it.
    fn downtime(&self, names: &[String]) -> Option<String> {
        let weights = self.live.config.daemon.agent_weights;
        let is_meant = |row: &&DowntimeRow| row.name == ALL || names.contains(&row.name);
        let place = |row: &DowntimeRow| names.iter().position(|name| *name == row.name);
        let meant = self.downtimes.iter().filter(is_meant);
        let strongest = meant.min_by_key(|row| (weakness(row, weights), place(row)));
        strongest.map(|row| row.name.clone())
    }

    fn poller(&self, record: &PollerRecord) -> PollingRow {
        let now = self.now.since_start.as_secs_f64();
        let row = record.row(Vec::new());
        let mut poller = PollingRow {
            polling: row.is_polling(now),
            polled: self.wall(row.polled_at),
            out: row.is_out(),
            told_at: self.wall(row.told_at),
            node: row.node.map(|name| shown(&name, NAME_MAX)),
            server: row.server.map(|name| shown(&name, NAME_MAX)),
            address: row.address,
            interval: row.interval.map(to_ms),
            polls: row.polls,
            view: row.view,
            state: row.state.map(|words| shown(&words, NAME_MAX)),
            sessions: row.sessions.map(|[own, _]| own),
            sessions_at_close: record.sessions_at_close(),
            weight: row.weight,
            told: row.told,
            code: row.code,
            run: row.run,
            acted: None,
        };
        poller.acted = acted(&poller);
        poller
    }

    /// A time on the daemon's clock as one of the wall clock.
    fn wall(&self, since_start: f64) -> f64 {
        to_ms(self.now.unix - self.now.since_start.as_secs_f64() + since_start)
    }
}

/// A balancer, or somebody who came again; no person, nor who looked once.
fn is_poller(record: &PollerRecord) -> bool {
    let is_named = record.poller.server.is_some();
    !record.is_person() && (is_named || record.polls() > 1)
}

fn is_of_passers_by(check: &CheckRow) -> bool {
    check.state == Rotation::Silent && check.pollers.iter().all(|p| p.polls < PASSER_BY)
}

fn service(name: &ServiceName, mut checks: Vec<CheckRow>) -> ServiceRow {
    checks.sort_by(|a, b| (a.state, &a.check, &a.ask).cmp(&(b.state, &b.check, &b.ask)));
    checks.truncate(CHECKS_MAX);
    ServiceRow {
        name: name.to_string(),
        // There is one at least.
        state: checks.first().map_or(Rotation::Silent, |check| check.state),
        checks,
    }
}

fn poller_order(poller: &PollingRow) -> (bool, Option<&str>, Option<&str>, std::net::IpAddr) {
    (
        !poller.polling,
        poller.node.as_deref(),
        poller.server.as_deref(),
        poller.address,
    )
}

/// The path by which a check is asked for.
fn ask(record: &PollerRecord) -> String {
    let poller = &record.poller;
    let port = poller.check.place.as_ref().map_or(0, |(_, port)| *port);
    let path = match record.check() {
        Some(check) if check.protocol.needs_slash || &*check.target.path != "/" => {
            &*check.target.path
        }
        _ => poller.check.variant(),
    };
    let protocol = poller.check.protocol();
    shown(
        &format!("/{protocol}/{}/{port}{path}", poller.service),
        NAME_MAX,
    )
}

/// The arguments by which `hacheck probe` asks the same of the same host.
fn probe_words(record: &PollerRecord, ask: &str) -> Vec<String> {
    let mut words = Vec::new();
    if let (Some(host), Some((place, _))) = (&record.stated.host, &record.poller.check.place)
        && *place != Host::Local
    {
        words.push("-H".to_owned());
        words.push(format!("X-Nerve-Check-IP: {}", shown(host, NAME_MAX)));
    }
    // In front of the first slash there is nothing.
    let mut parts = ask.splitn(5, '/').skip(1);
    words.extend(parts.by_ref().take(3).map(str::to_owned));
    words.extend(parts.map(|path| format!("/{path}")));
    words
}

/// A weaker downtime does not hide a stronger one.
fn weakness(row: &DowntimeRow, weights: bool) -> u8 {
    match row.mark.as_deref() {
        Some("drain") if weights => 2,
        Some("soft") => 1,
        _ => 0,
    }
}

/// Microseconds are enough for how long a probe took.
fn to_us(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// Milliseconds are enough, and short.
fn to_ms(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
