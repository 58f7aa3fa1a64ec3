//! Changes in the log: a sentence for people, and for programs the fields of `/overview`'s changes.

use log::kv::{Error, Key, Source, ToValue as _, VisitSource};
use log::{Level, Record};

use crate::ledger::history::{EventKind, HostEvent};
use crate::os::times;

/// Logs a change that nothing else logs: whoever meets trouble with the spool does.
pub(super) fn changed(event: &HostEvent) {
    match event.kind {
        EventKind::Spool if event.text.is_some() => {}
        _ => log(event, &sentence(event)),
    }
}

/// Logs a message with the fields of an event.
pub(super) fn log(event: &HostEvent, message: &str) {
    // By hand what the macros of the log do: they take no fields that are there at times only.
    if Level::Info > log::max_level() {
        return;
    }

    let fields = EventFields(event);
    let mut record = Record::builder();
    record.level(Level::Info).target(module_path!());
    record.key_values(&fields);
    log::logger().log(&record.args(format_args!("{message}")).build());
}

/// An event's fields but for its time, which each line has.
struct EventFields<'a>(&'a HostEvent);

impl Source for EventFields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        let event = self.0;
        visitor.visit_pair(Key::from_str("kind"), event.kind.word().into())?;
        for (name, text) in self.texts() {
            // One that is not there has no field, rather than an empty one.
            if let Some(text) = text {
                visitor.visit_pair(Key::from_str(name), text.into())?;
            }
        }

        visitor.visit_pair(Key::from_str("until"), event.until.to_value())?;
        visitor.visit_pair(Key::from_str("after"), event.after.to_value())?;
        visitor.visit_pair(Key::from_str("expired"), event.expired.to_value())
    }
}

impl EventFields<'_> {
    fn texts(&self) -> [(&'static str, Option<&str>); 4] {
        let event = self.0;
        [
            ("service", event.service.as_deref()),
            ("check", event.check.as_deref()),
            ("text", event.text.as_deref()),
            ("by", event.by.as_deref()),
        ]
    }
}

/// `alice took web down until 18:00: new disk`.
fn sentence(event: &HostEvent) -> String {
    let name = name(event);
    match event.kind {
        EventKind::Down => down(event, name),
        EventKind::Lifted => lifted(event, name),
        EventKind::Spool => format!("the spool can be read again{}", after(event)),
        EventKind::Group => group(event, name),
        // Who notices these tells of them.
        EventKind::Start | EventKind::Fail | EventKind::Pass | EventKind::Flap => {
            format!("{}: {name}", event.kind.word())
        }
    }
}

fn name(event: &HostEvent) -> &str {
    event.service.as_deref().unwrap_or("the whole host")
}

fn down(event: &HostEvent, name: &str) -> String {
    let what = match &event.by {
        Some(user) => format!("{user} took {name} down"),
        None => format!("{name} was taken down"),
    };
    what + &until(event) + &why(event)
}

fn until(event: &HostEvent) -> String {
    match event.until {
        Some(end) => format!(" until {}", times::brief(end)),
        None => String::new(),
    }
}

fn why(event: &HostEvent) -> String {
    match event.text.as_deref() {
        None | Some("") => ", without a reason".to_owned(),
        Some(reason) => format!(": {reason}"),
    }
}

fn lifted(event: &HostEvent, name: &str) -> String {
    let after = after(event);
    match (event.expired, &event.by) {
        (Some(true), _) => format!("the downtime of {name} ended{after}"),
        (_, Some(user)) => format!("{user} lifted the downtime of {name}{after}"),
        (_, None) => format!("the downtime of {name} was lifted{after}"),
    }
}

fn group(event: &HostEvent, name: &str) -> String {
    match &event.text {
        Some(summary) => format!("{name} is now DOWN: {summary}"),
        None => format!("{name} is now up{}", after(event)),
    }
}

fn after(event: &HostEvent) -> String {
    match event.after {
        Some(seconds) => format!(", after {seconds:.0} s"),
        None => String::new(),
    }
}
