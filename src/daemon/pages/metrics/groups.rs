//! The groups of the configuration.

use std::fmt::Display;

use super::{DaemonState, Exposition};
use crate::group::GroupState;

pub(super) fn add(page: &mut Exposition, state: &DaemonState) {
    let live = state.live();
    if live.config.groups.is_empty() {
        return;
    }

    let known = state.checker.groups();
    let mut groups = Vec::new();
    for name in live.config.groups.keys() {
        groups.push((name.as_str(), known.get(name)));
    }

    states(page, &groups);
    actions(page, &groups);
}

/// Groups by name.
type NamedGroups<'a> = [(&'a str, GroupState)];

fn states(page: &mut Exposition, groups: &NamedGroups<'_>) {
    let metric = "hacheck_group_up";
    let help = "Whether a group is up, once that is known.";
    page.metric(metric, "gauge", help);
    each(page, metric, groups, |group| group.up.map(u8::from));

    let metric = "hacheck_group_changed_timestamp_seconds";
    let help = "When a group's state changed last.";
    page.metric(metric, "gauge", help);
    each(page, metric, groups, |group| group.changed);
}

fn actions(page: &mut Exposition, groups: &NamedGroups<'_>) {
    let metric = "hacheck_group_action_success";
    let help = "Whether a group's last action succeeded.";
    page.metric(metric, "gauge", help);
    each(page, metric, groups, |group| {
        let action = group.action.as_ref()?;
        Some(u8::from(action.good))
    });
}

/// The samples of all groups of which the value is known.
fn each<V: Display>(
    page: &mut Exposition,
    metric: &str,
    groups: &NamedGroups<'_>,
    value: fn(&GroupState) -> Option<V>,
) {
    for (name, group) in groups {
        if let Some(value) = value(group) {
            page.sample(metric, &[("group", name)], value);
        }
    }
}
