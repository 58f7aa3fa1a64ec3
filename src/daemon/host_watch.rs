//! What changes on this host without a poll that tells of it: downtimes, the spool, groups, who else listens. Looked at by a
//! thread of its own, which may hang without harm.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event_log;
use super::port_watch::PortWatch;
use super::state::DaemonState;
use crate::group::GroupState;
use crate::ledger::history::{EventKind, HostEvent};
use crate::os::cause::cause_text;
use crate::spool::unix_now;

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);

/// From one look for others on the daemon's ports to the next. For a list without an IPv6 socket the kernel walks its table of all
/// connections, which takes 10 ms where the table has 262,144 rows: each second, that was most of what an idle daemon cost.
const PORTS_EVERY: Duration = Duration::from_secs(10);

/// Starts the thread.
pub(super) fn start(state: &Arc<DaemonState>, ports: PortWatch) {
    let state = Arc::clone(state);
    // A thread and no task: a file system that hangs would take the runtime along.
    let thread = std::thread::Builder::new().name("host-watch".into());
    if let Err(e) = thread.spawn(move || watch(&state, ports)) {
        let cause = cause_text(e);
        log::warn!(
            "cannot start the thread that watches the spool: {cause}; /overview shows no changes of it"
        );
    }
}

fn watch(state: &DaemonState, mut ports: PortWatch) {
    let mut groups = HashMap::new();
    let mut looked: Option<Instant> = None;
    loop {
        state.look_at_spool();
        look_at_groups(state, &mut groups);
        if looked.is_none_or(|looked| looked.elapsed() >= PORTS_EVERY) {
            ports.look();
            looked = Some(Instant::now());
        }

        std::thread::sleep(EVERY);
    }
}

/// When each group's state began, and whether it is up.
type KnownGroups = HashMap<String, (bool, f64)>;

fn look_at_groups(state: &DaemonState, known: &mut KnownGroups) {
    let live = state.live();
    // A group that a reload took away, and another one brings back, begins anew.
    known.retain(|name, _| live.config.groups.contains_key(name));
    for (name, settings) in &live.config.groups {
        let group = state.checker.groups().get(name);
        if let Some(event) = group_event(name, &group, known) {
            // Who watches a group logs for itself.
            if settings.every.is_none() {
                event_log::changed(&event);
            }
            state.happened(event);
        }
    }
}

/// The event, if the group is in another state than before. That it is up at first is none.
fn group_event(name: &str, group: &GroupState, known: &mut KnownGroups) -> Option<HostEvent> {
    let up = group.up?;
    let changed = group.changed.unwrap_or_else(unix_now);
    let before = known.insert(name.to_owned(), (up, changed));
    // One that is up when it is first seen is no news; one that is down is.
    let was_up = before.is_none_or(|(was_up, _)| was_up);
    if was_up == up {
        return None;
    }

    let event = HostEvent {
        service: Some(name.to_owned()),
        ..HostEvent::new(changed, EventKind::Group)
    };
    Some(match up {
        true => HostEvent {
            after: before.map(|(_, since)| changed - since),
            ..event
        },
        false => HostEvent {
            text: Some(group.summary.clone()),
            ..event
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_goes_down_and_comes_back_is_two_events() {
        let mut known = KnownGroups::new();
        let mut look = |up, changed| {
            let group = GroupState {
                up: Some(up),
                changed: Some(changed),
                summary: "1 of 2".into(),
                ..GroupState::default()
            };
            let event = group_event("node", &group, &mut known)?;
            Some((event.text, event.after))
        };
        assert_eq!(look(true, 1.0), None);
        assert_eq!(look(false, 2.0), Some((Some("1 of 2".into()), None)));
        assert_eq!(look(false, 2.0), None);
        assert_eq!(look(true, 9.0), Some((None, Some(7.0))));
        assert_eq!(
            group_event("new", &GroupState::default(), &mut KnownGroups::new()),
            None
        );
    }
}
