//! The groups of the configuration.

use std::fmt::Display;

use super::{DaemonState, Exposition};
use crate::group::GroupState;

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    let live = state.live();
    if live.config.groups.is_empty() {
        return;
    }
    let names = live.config.groups.keys();
    let known: Vec<(&str, GroupState)> = names
        .map(|name| (name.as_str(), state.checker.groups().get(name)))
        .collect();
    each(
        page,
        "hacheck_group_up",
        "Whether a group is up, once that is known.",
        &known,
        |group| group.up.map(u8::from),
    );
    each(
        page,
        "hacheck_group_changed_timestamp_seconds",
        "When a group's state changed last.",
        &known,
        |group| group.changed,
    );
    each(
        page,
        "hacheck_group_action_success",
        "Whether a group's last action succeeded.",
        &known,
        |group| Some(u8::from(group.action.as_ref()?.good)),
    );
}

/// A gauge of all groups of which the value is known.
fn each<V: Display>(
    page: &mut Exposition,
    metric: &str,
    help: &str,
    groups: &[(&str, GroupState)],
    value: impl Fn(&GroupState) -> Option<V>,
) {
    page.metric(metric, "gauge", help);
    for (name, group) in groups {
        if let Some(value) = value(group) {
            page.sample(metric, &[("group", name)], value);
        }
    }
}
