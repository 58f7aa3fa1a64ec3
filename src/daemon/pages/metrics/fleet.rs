//! This host in its fleet; nothing where it is in none.

use super::{DaemonState, Exposition};
use crate::fleet::AgentFigures;
use crate::spool::unix_now;

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    let Some(fleet) = &state.fleet else {
        return;
    };

    let figures = fleet.figures.now();
    connection(page, &figures);
    orders(page, &figures);
    trouble(page, &figures);
}

fn connection(page: &mut Exposition, figures: &AgentFigures) {
    page.gauge(
        "hacheck_fleet_connected",
        "1 while the orders of the fleet come as they are given.",
        u8::from(figures.connected),
    );
    if let Some(at) = figures.last_sync {
        page.gauge(
            "hacheck_fleet_last_sync_seconds",
            "How long ago all orders were known.",
            (unix_now() - at).max(0.0),
        );
    }

    page.gauge(
        "hacheck_fleet_revision",
        "The revision of etcd then.",
        figures.revision,
    );
    let metric = "hacheck_fleet_sessions_total";
    page.metric(metric, "counter", "Sessions with etcd that ended.");
    for (why, count) in &figures.sessions {
        page.sample(metric, &[("why", why)], count);
    }
}

fn orders(page: &mut Exposition, figures: &AgentFigures) {
    page.gauge(
        "hacheck_fleet_orders_held",
        "Orders that hold something down on this host.",
        figures.held,
    );
    page.gauge(
        "hacheck_fleet_orders_waived",
        "Orders that would, but for a waiver.",
        figures.waived,
    );
    page.gauge(
        "hacheck_fleet_orders_unknown",
        "Orders that cannot be read; what is held is held.",
        figures.unknown,
    );
    page.gauge(
        "hacheck_fleet_engine_regressed",
        "1 while etcd lacks an order that is held here: wiped, restored or deleted.",
        u8::from(figures.missing > 0),
    );
}

fn trouble(page: &mut Exposition, figures: &AgentFigures) {
    page.gauge(
        "hacheck_fleet_clock_skew_seconds",
        "How far this host's clock was ahead when the last order came.",
        figures.clock_skew,
    );
    page.counter(
        "hacheck_fleet_write_errors_total",
        "Reports to etcd that failed.",
        figures.write_errors,
    );
    let held = figures.slot_since.map_or(0.0, |since| unix_now() - since);
    page.gauge(
        "hacheck_fleet_slot_held_seconds",
        "How long this host has had a slot of a roll; 0 when it has none.",
        held.max(0.0),
    );
}
