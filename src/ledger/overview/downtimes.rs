//! What became of the downtimes between two looks at the spool.

use super::DowntimeRow;
use crate::ledger::history::{EventKind, HostEvent};

/// The events that made one list of the other; `now` in seconds of unix time.
#[must_use]
pub fn changes(before: &[DowntimeRow], after: &[DowntimeRow], now: f64) -> Vec<HostEvent> {
    let gone = before.iter().filter(|old| find(after, old).is_none());
    let mut events: Vec<HostEvent> = gone.map(|old| lifted(old, now)).collect();
    for new in after {
        // One that was written anew with another reason is news too.
        let is_known = find(before, new).is_some_and(|old| says_the_same(old, new));
        if !is_known {
            events.push(down(new, now));
        }
    }

    events
}

/// The downtime of the same name in the same spool.
fn find<'a>(rows: &'a [DowntimeRow], wanted: &DowntimeRow) -> Option<&'a DowntimeRow> {
    // The host's spool and the fleet's may each have one of that name: neither is the other's end.
    let is_same = |row: &&DowntimeRow| {
        row.name == wanted.name && row.origin.is_some() == wanted.origin.is_some()
    };
    rows.iter().find(is_same)
}

/// Whether two downtimes of one name are the same to whoever reads of them.
fn says_the_same(one: &DowntimeRow, other: &DowntimeRow) -> bool {
    (&one.reason, &one.by, one.until) == (&other.reason, &other.by, other.until)
}

fn down(row: &DowntimeRow, now: f64) -> HostEvent {
    HostEvent {
        service: Some(row.name.clone()),
        text: Some(row.reason.clone()),
        by: row.author().map(str::to_owned),
        until: row.until,
        ..HostEvent::new(now, EventKind::Down)
    }
}

fn lifted(row: &DowntimeRow, now: f64) -> HostEvent {
    HostEvent {
        service: Some(row.name.clone()),
        after: row.since.map(|since| now - since),
        // By its own end, as a file that is gone does not tell who removed it.
        expired: Some(row.until.is_some_and(|until| until <= now)),
        ..HostEvent::new(now, EventKind::Lifted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, reason: &str, until: Option<f64>) -> DowntimeRow {
        DowntimeRow {
            name: name.into(),
            service: name.into(),
            host: None,
            port: None,
            reason: reason.into(),
            by: Some("alice".into()),
            file_owner: None,
            since: Some(100.0),
            until,
            mark: None,
            held: false,
            origin: None,
            order: None,
        }
    }

    #[test]
    fn what_came_and_what_went() {
        let before = [
            row("a", "x", None),
            row("b", "x", Some(150.0)),
            row("c", "x", None),
        ];
        let after = [row("c", "x", None), row("d", "new disk", Some(500.0))];
        let events = changes(&before, &after, 160.0);
        let told: Vec<_> = events
            .iter()
            .map(|e| (e.kind, e.service.as_deref().unwrap(), e.expired, e.after))
            .collect();
        assert_eq!(
            told,
            [
                (EventKind::Lifted, "a", Some(false), Some(60.0)),
                (EventKind::Lifted, "b", Some(true), Some(60.0)),
                (EventKind::Down, "d", None, None),
            ]
        );
        let down = &events[2];
        assert_eq!(
            (down.text.as_deref(), down.by.as_deref()),
            (Some("new disk"), Some("alice"))
        );
        assert_eq!(down.until, Some(500.0));
    }

    #[test]
    fn who_took_it_down_is_told_by_the_file_where_nothing_else_does() {
        let of = |by: Option<&str>, owner: Option<&str>| DowntimeRow {
            by: by.map(str::to_owned),
            file_owner: owner.map(str::to_owned),
            ..row("a", "bob: new disk", None)
        };
        assert_eq!(of(Some("alice"), Some("root")).author(), Some("alice"));
        assert_eq!(of(None, Some("root")).author(), Some("root"));
        assert_eq!(of(None, Some("bob")).author(), None);
        assert_eq!(of(None, None).author(), None);
    }

    #[test]
    fn another_reason_or_end_is_an_event_and_a_state_that_is_held_is_none() {
        let before = [row("a", "x", None)];
        assert_eq!(changes(&before, &[row("a", "y", None)], 0.0).len(), 1);
        assert_eq!(changes(&before, &[row("a", "x", Some(9.0))], 0.0).len(), 1);
        let held = DowntimeRow {
            held: true,
            ..row("a", "x", None)
        };
        assert_eq!(changes(&before, &[held], 0.0), []);
    }
}
