//! From what the ledger remembers of pollers to the rows of `/overview`.

use std::collections::HashMap;

use super::super::entries;
use crate::daemon::state::Live;
use crate::ledger::history::{CheckHistory, minute};
use crate::ledger::overview::{CheckRow, DowntimeRow, PollingRow, Rotation, ServiceRow, acted};
use crate::ledger::{AskedCheck, Moment, Poller, PollerRecord, Told};
use crate::names::sort::sort_by;
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
        let mut services: HashMap<&ServiceName, Vec<CheckRow>> = HashMap::new();
        for ((service, _), records) in by_check(records) {
            let row = self.check(&records);
            if !is_of_passers_by(&row) {
                services.entry(service).or_default().push(row);
            }
        }

        let services = services.into_iter();
        services.map(|(name, rows)| service(name, rows)).collect()
    }

    /// One check, by all that poll it; there is one at least.
    fn check(&self, records: &[&PollerRecord]) -> CheckRow {
        let mut pollers = self.pollers(records);
        // They differ in who asks, and not in what is asked.
        let record = records[0];
        let this_host = self.live.this_host();
        let names = entries::names(&record.poller, &record.stated, this_host, false);
        let history = record.history.lock();
        // By all of them, also by those that are not shown.
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

    fn pollers(&self, records: &[&PollerRecord]) -> Vec<PollingRow> {
        let pollers = records.iter().map(|record| self.poller(record));
        let mut pollers: Vec<PollingRow> = pollers.collect();
        sort_by(&mut pollers, |a, b| poller_order(a).cmp(&poller_order(b)));
        pollers
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
        // In the order of the gate: `all`, which has no place among the names, stands first, as `None` is the least.
        let place = |row: &DowntimeRow| names.iter().position(|name| *name == row.name);
        let meant = self.meant(names);
        let strongest = meant.min_by_key(|row| (weakness(row, weights), place(row)))?;
        Some(strongest.name.clone())
    }

    /// The downtimes that have one of these names, or take the whole host down.
    fn meant(&self, names: &[String]) -> impl Iterator<Item = &DowntimeRow> {
        let downtimes = self.downtimes.iter();
        downtimes.filter(|row| row.name == ALL || names.contains(&row.name))
    }

    fn poller(&self, record: &PollerRecord) -> PollingRow {
        let now = self.now.since_start.as_secs_f64();
        // Without the names of spool entries, which the check has.
        let row = record.row(Vec::new());
        let mut poller = PollingRow {
            polling: row.is_polling(now),
            polled: self.wall(row.polled_at),
            out: row.is_out(),
            told_at: self.wall(row.told_at),
            node: row.node.map(|name| shown(&name, NAME_MAX)),
            server: row.server.map(|name| shown(&name, NAME_MAX)),
            user_agent: row.user_agent.map(|name| shown(&name, NAME_MAX)),
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

/// Records of the same check of the same service.
type ByCheck<'a> = HashMap<(&'a ServiceName, &'a AskedCheck), Vec<&'a PollerRecord>>;

fn by_check(records: &[PollerRecord]) -> ByCheck<'_> {
    let mut checks = ByCheck::new();
    for record in records.iter().filter(|record| is_poller(record)) {
        let poller = &record.poller;
        let key = (&poller.service, &poller.check);
        checks.entry(key).or_default().push(record);
    }

    checks
}

/// A balancer, or somebody who came again; no person, nor who looked once.
fn is_poller(record: &PollerRecord) -> bool {
    // A balancer says by what name it knows the server; it counts from its first poll on.
    let is_named = record.poller.server.is_some();
    !record.is_person() && (is_named || record.polls() > 1)
}

fn is_of_passers_by(check: &CheckRow) -> bool {
    check.state == Rotation::Silent && check.pollers.iter().all(|p| p.polls < PASSER_BY)
}

fn service(name: &ServiceName, mut checks: Vec<CheckRow>) -> ServiceRow {
    sort_by(&mut checks, |a, b| check_order(a).cmp(&check_order(b)));
    checks.truncate(CHECKS_MAX);
    ServiceRow {
        name: name.to_string(),
        // There is one at least.
        state: checks.first().map_or(Rotation::Silent, |check| check.state),
        checks,
    }
}

fn check_order(check: &CheckRow) -> (Rotation, &str, &str) {
    (check.state, &check.check, &check.ask)
}

fn poller_order(poller: &PollingRow) -> (bool, [Option<&str>; 3], std::net::IpAddr) {
    (
        !poller.polling,
        [&poller.node, &poller.server, &poller.user_agent].map(Option::as_deref),
        poller.address,
    )
}

/// The path by which a check is asked for.
fn ask(record: &PollerRecord) -> String {
    let Poller { service, check, .. } = &*record.poller;
    let protocol = check.protocol();
    let port = check.place.as_ref().map_or(0, |(_, port)| *port);
    let path = asked_path(record);
    shown(&format!("/{protocol}/{service}/{port}{path}"), NAME_MAX)
}

/// The path behind the port; none where a protocol does without.
fn asked_path(record: &PollerRecord) -> &str {
    match record.check() {
        Some(check) if check.protocol.needs_slash || &*check.target.path != "/" => {
            &check.target.path
        }
        _ => record.poller.check.variant(),
    }
}

/// The arguments by which `hacheck probe` asks the same of the same host.
fn probe_words(record: &PollerRecord, ask: &str) -> Vec<String> {
    let mut words = host_words(record);
    // In front of the first slash there is nothing.
    let mut parts = ask.splitn(5, '/').skip(1);
    words.extend(parts.by_ref().take(3).map(str::to_owned));
    words.extend(parts.map(|path| format!("/{path}")));
    words
}

fn host_words(record: &PollerRecord) -> Vec<String> {
    match stated_host(record) {
        Some(host) => {
            let header = format!("X-Nerve-Check-IP: {}", shown(host, NAME_MAX));
            vec!["-H".to_owned(), header]
        }
        None => Vec::new(),
    }
}

/// The host that a poller stated, where the check goes to another host than this one.
fn stated_host(record: &PollerRecord) -> Option<&str> {
    let (place, _) = record.poller.check.place.as_ref()?;
    match place {
        Host::Local => None,
        _ => record.stated.host.as_deref(),
    }
}

/// A weaker downtime does not hide a stronger one.
fn weakness(row: &DowntimeRow, weights: bool) -> u8 {
    match row.mark.as_deref() {
        Some("agent_only") => 3,
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
