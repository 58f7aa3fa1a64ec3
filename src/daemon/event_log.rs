//! Changes in the log.

use crate::ledger::history::{EventKind, HostEvent};
use crate::names::ALL;

/// Logs a change that nothing else logs: whoever meets trouble with the spool does, and groups tell of themselves.
pub(super) fn changed(event: &HostEvent) {
    match event.kind {
        EventKind::Spool if event.text.is_some() => {}
        EventKind::Group => {}
        _ => log::info!("{}", sentence(event)),
    }
}

/// `web was taken down by alice until 1795640000: new disk`.
fn sentence(event: &HostEvent) -> String {
    let name = name(event);
    match event.kind {
        EventKind::Down => down(event, name),
        EventKind::Lifted if event.expired == Some(true) => {
            format!("the downtime of {name} ended{}", after(event))
        }
        EventKind::Lifted => format!("the downtime of {name} was lifted{}", after(event)),
        EventKind::Spool => format!("the spool can be read again{}", after(event)),
        // Who notices these tells of them.
        EventKind::Start
        | EventKind::Fail
        | EventKind::Pass
        | EventKind::Flap
        | EventKind::Group => format!("{}: {name}", event.kind.word()),
    }
}

fn name(event: &HostEvent) -> &str {
    match event.service.as_deref() {
        Some(ALL) | None => "the whole host",
        Some(name) => name,
    }
}

fn down(event: &HostEvent, name: &str) -> String {
    let by = match &event.by {
        Some(user) => format!(" by {user}"),
        None => String::new(),
    };
    let until = match event.until {
        Some(end) => format!(" until {end:.0}"),
        None => String::new(),
    };
    let reason = event.text.as_deref().unwrap_or_default();
    format!("{name} was taken down{by}{until}: {reason}")
}

fn after(event: &HostEvent) -> String {
    match event.after {
        Some(seconds) => format!(", after {seconds:.0} s"),
        None => String::new(),
    }
}
