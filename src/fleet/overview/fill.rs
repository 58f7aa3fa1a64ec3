//! From what a host or an order is to the row that is shown: texts cut, lists bounded.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::advice;
use super::entries::{
    DownEntry, HolderEntry, HostEntry, LateEntry, OrderEntry, ProgressEntry, RollEntry,
    ServiceEntry, SlotEntry, TagEntry, WaiverEntry,
};
use super::survey::{FleetSurvey, SurveyedHost};
use super::tallies::{Counts, OrderTally};
use super::{INNER_MAX, NAME_MAX, REASON_MAX};
use crate::fleet::picture::{is_local, knows};
use crate::fleet::{
    HostRecord, Order, OrderState, Report, RollLock, RollProgress, Slot, Snapshot, WaivedOrder,
    in_seconds,
};
use crate::names::text::shown;
use crate::spool::Mark;

impl FleetSurvey<'_> {
    /// The row of a host.
    pub(super) fn entry(&self, host: &SurveyedHost<'_>) -> HostEntry {
        let record = host.record;
        let downtimes = host.down.map_or(0, BTreeMap::len);

        HostEntry {
            host: host.name.to_owned(),
            state: host.state,
            port: record.port,
            seen: record.seen,
            started: record.since,
            version: name(&record.version),
            tags: tags(record),
            services: record.services.len(),
            down: self.down(host),
            late: late(host),
            waived: waived(host),
            slots: slots(host),
            problems: problems(record),
            left_out: downtimes.saturating_sub(INNER_MAX),
            advice: advice::for_host(host),
        }
    }

    fn down(&self, host: &SurveyedHost<'_>) -> Vec<DownEntry> {
        let down = host.down.into_iter().flatten().take(INNER_MAX);
        down.map(|(key, report)| self.down_entry(host, key, report))
            .collect()
    }

    fn down_entry(&self, host: &SurveyedHost<'_>, key: &str, report: &Report) -> DownEntry {
        let slot = host.slots.and_then(|slots| slots.get(key));
        down_entry(key, report, self.snapshot.order_behind(report), slot)
    }
}

fn tags(record: &HostRecord) -> BTreeMap<String, String> {
    let tags = record.tags.iter().take(INNER_MAX);
    tags.map(|(tag, value)| (name(tag), name(value))).collect()
}

fn late(host: &SurveyedHost<'_>) -> Vec<LateEntry> {
    let late = host.late.iter().take(INNER_MAX);
    late.map(|order| late_entry(host, order)).collect()
}

fn waived(host: &SurveyedHost<'_>) -> Vec<WaiverEntry> {
    let waived = host.waived.iter().take(INNER_MAX);
    waived
        .map(|(order, why)| waiver_entry(order, why))
        .collect()
}

fn slots(host: &SurveyedHost<'_>) -> Vec<SlotEntry> {
    let slots = host.slots.into_iter().flatten().take(INNER_MAX);
    slots
        .map(|(key, slot)| slot_entry(host.name, key, slot))
        .collect()
}

fn problems(record: &HostRecord) -> Vec<String> {
    let problems = record.problems.iter().take(INNER_MAX);
    problems.map(|text| shown(text, REASON_MAX)).collect()
}

pub(super) fn down_entry(
    key: &str,
    report: &Report,
    order: Option<&Order>,
    slot: Option<&Slot>,
) -> DownEntry {
    DownEntry {
        key: name(key),
        since: report.since,
        until: report.until,
        reason: shown(&report.reason, REASON_MAX),
        by: name(&report.by),
        from: order.map_or_else(String::new, |order| name(&order.from)),
        origin: name(&report.origin),
        is_local: is_local(report),
        pollers: report.pollers,
        acted: report.acted,
        sessions: report.sessions,
        roll: slot.map(|slot| name(&slot.roll)),
    }
}

fn late_entry(host: &SurveyedHost<'_>, order: &Order) -> LateEntry {
    LateEntry {
        order: name(&order.register()),
        key: name(&order.key.file_name()),
        state: order.state,
        by: name(&order.by),
        at: in_seconds(order.at),
        // Of a lift it is not told: a host that knows it has done it.
        knows: order.state == OrderState::Down && knows(host.record, order),
    }
}

fn waiver_entry(order: &Order, waiver: &WaivedOrder) -> WaiverEntry {
    WaiverEntry {
        order: name(&order.register()),
        key: name(&order.key.file_name()),
        by: name(&waiver.by),
        reason: shown(&waiver.reason, REASON_MAX),
        since: waiver.since,
    }
}

fn slot_entry(host: &str, key: &str, slot: &Slot) -> SlotEntry {
    SlotEntry {
        host: host.to_owned(),
        key: name(key),
        roll: name(&slot.roll),
        phase: name(&slot.phase),
        since: slot.changed(),
    }
}

impl ServiceEntry {
    /// Those that lack most hosts first, then by name.
    pub(super) fn worst_first(&self, other: &Self) -> Ordering {
        let by_share = self.counts.by_share(&other.counts);
        by_share.then_with(|| self.name.cmp(&other.name))
    }
}

impl OrderEntry {
    pub(super) fn of(tally: &OrderTally<'_>) -> Self {
        let order = tally.order;
        // A few are enough to look at one; how many there are stands beside them.
        let late = tally.late.iter().take(INNER_MAX);
        Self {
            order: name(&order.register()),
            key: name(&order.key.file_name()),
            selector: shown(&order.selector.to_string(), REASON_MAX),
            state: order.state,
            by: name(&order.by),
            from: name(&order.from),
            reason: shown(&order.reason, REASON_MAX),
            // When the downtime began, which an order that only prolongs it keeps.
            since: order.creation.unwrap_or_else(|| in_seconds(order.at)),
            until: order.expiration,
            mark: order.mark().map(Mark::as_str),
            hosts: tally.hosts,
            done: tally.done,
            waived: tally.waived,
            lost: tally.lost,
            late: late.map(|host| (*host).to_owned()).collect(),
            late_count: tally.late.len(),
            advice: advice::for_order(order),
        }
    }
}

impl RollEntry {
    pub(super) fn new(slot: &Slot) -> Self {
        Self {
            roll: name(&slot.roll),
            by: name(&slot.by),
            from: name(&slot.from),
            since: slot.since,
            slots: Vec::new(),
            count: 0,
            held: None,
            progress: None,
            advice: None,
        }
    }

    /// One that no host has a slot for now.
    pub(super) fn of_lock(lock: &RollLock) -> Self {
        Self::new(&Slot {
            roll: lock.roll.clone(),
            by: lock.by.clone(),
            from: lock.from.clone(),
            since: lock.since,
            ..Slot::default()
        })
    }

    pub(super) fn take_lock(&mut self, lock: &RollLock) {
        self.held = Some(HolderEntry {
            by: name(&lock.by),
            from: name(&lock.from),
            since: lock.since,
        });
    }

    pub(super) fn take_progress(&mut self, snapshot: &Snapshot, roll: &RollProgress) {
        let progress = ProgressEntry::of(snapshot, roll);
        if self.held.is_none() && progress.done < progress.hosts {
            self.advice = Some(advice::for_roll(&roll.record.id));
        }

        self.since = in_seconds(roll.record.at);
        self.progress = Some(progress);
    }

    pub(super) fn add(&mut self, host: &str, key: &str, slot: &Slot) {
        self.count += 1;
        // Its hosts begin one after the other, so the first slot tells when the roll began.
        self.since = self.since.min(slot.since);
        if self.slots.len() < INNER_MAX {
            self.slots.push(slot_entry(host, key, slot));
        }
    }
}

impl ProgressEntry {
    fn of(snapshot: &Snapshot, roll: &RollProgress) -> Self {
        let record = &roll.record;
        let mut progress = Self {
            key: name(&record.key.file_name()),
            max_down: name(&record.max_down),
            hosts: record.hosts.len(),
            done: 0,
            failed: 0,
            under_way: 0,
            waiting: 0,
        };
        for host in &record.hosts {
            let slot = snapshot.slot(host, &record.key);
            let slot = slot.filter(|slot| slot.roll == record.id);
            let count = match slot {
                // The result may be of an earlier try.
                Some(slot) if slot.phase != "failed" => &mut progress.under_way,
                _ if roll.done.contains(host) => &mut progress.done,
                None if !roll.failed.contains(host) => &mut progress.waiting,
                _ => &mut progress.failed,
            };
            *count += 1;
        }

        progress
    }
}

impl TagEntry {
    pub(super) fn of(((tag, value), counts): (&(&str, &str), &Counts)) -> Self {
        Self {
            tag: name(tag),
            value: name(value),
            counts: counts.clone(),
        }
    }
}

fn name(text: &str) -> String {
    shown(text, NAME_MAX)
}
