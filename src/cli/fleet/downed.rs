//! `hashowdowned --fleet`: every downtime of every host.

use serde_json::{Value, json};

use super::client::FleetClient;
use super::output::{print_listed, refuse_uber};
use super::request::FleetRequest;
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::output::entries::{OutputFormat, moment};
use crate::cli::output::times;
use crate::fleet::{Report, Selector, Slot, Snapshot};
use crate::names::text::one_line;

const HEADS: [&str; 8] = [
    "host", "service", "since", "until", "origin", "by", "acted", "reason",
];

pub(crate) fn act(call: &Call, request: &FleetRequest) -> Result<u8, Failure> {
    refuse_uber(request.format)?;
    let mut client = FleetClient::open(call, &request.file)?;
    let snapshot = client.snapshot()?;
    let downtimes = downtimes(&snapshot, &request.selector);
    print_listed(request.format, HEADS, &downtimes, cells, json_of)?;
    // An empty array says so itself.
    if downtimes.is_empty() && request.format != OutputFormat::Json {
        call.note("nothing is down");
    }

    call.note_all(&snapshot.odd);
    Ok(0)
}

struct HostDowntime<'a> {
    host: &'a str,
    is_lost: bool,
    service: &'a str,
    report: &'a Report,
    slot: Option<&'a Slot>,
}

/// Those of the hosts that are selected, by host.
fn downtimes<'a>(snapshot: &'a Snapshot, selector: &Selector) -> Vec<HostDowntime<'a>> {
    let mut downtimes = Vec::new();
    for (host, _) in snapshot.selected(selector) {
        // A host that has written none has no entry at all.
        for (service, report) in snapshot.down.get(host).into_iter().flatten() {
            downtimes.push(HostDowntime {
                host,
                is_lost: !snapshot.alive.contains(host),
                service,
                report,
                slot: slot(snapshot, host, service),
            });
        }
    }

    downtimes
}

fn slot<'a>(snapshot: &'a Snapshot, host: &str, service: &str) -> Option<&'a Slot> {
    let slots = snapshot.slots.get(host)?;
    slots.get(service)
}

impl HostDowntime<'_> {
    fn host(&self) -> String {
        match self.is_lost {
            true => format!("{} (lost)", self.host),
            false => self.host.to_owned(),
        }
    }

    /// The roll that the host is in, else what wrote the downtime.
    fn origin(&self) -> String {
        match self.slot {
            Some(slot) => format!("slot {}", slot.roll),
            None => self.report.origin.clone(),
        }
    }

    fn by(&self) -> &str {
        match self.slot {
            Some(slot) => &slot.by,
            None => &self.report.by,
        }
    }

    /// The reason, and how far a roll is.
    fn reason(&self) -> String {
        let reason = &self.report.reason;
        let Some(slot) = self.slot else {
            return reason.clone();
        };

        let since = times::brief(slot.changed());
        format!("{reason} ({} since {since})", slot.phase)
    }
}

fn cells(downtime: &HostDowntime<'_>) -> [String; 8] {
    let report = downtime.report;
    [
        downtime.host(),
        downtime.service.to_owned(),
        moment(report.since, ""),
        moment(report.until, "inf"),
        one_line(&downtime.origin()),
        one_line(downtime.by()),
        format!("{}/{}", report.acted, report.pollers),
        // Where there is no reason, the phase of the roll stands behind a blank.
        one_line(downtime.reason().trim_start()),
    ]
}

fn json_of(downtime: &HostDowntime<'_>) -> Value {
    json!({
        "host": downtime.host,
        "lost": downtime.is_lost,
        "service": downtime.service,
        "report": downtime.report,
        "slot": downtime.slot,
    })
}
