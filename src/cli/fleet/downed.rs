//! `hashowdowned --fleet`: every downtime of every host.

use serde_json::{Value, json};

use super::client::FleetClient;
use super::output::{end, listed_rows, moment, refuse_uber};
use super::request::FleetRequest;
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::output::entries::OutputFormat;
use crate::cli::output::{self, times};
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
    let rows: Vec<[String; 8]> = downtimes.iter().map(cells).collect();
    let objects = downtimes.iter().map(json_of);
    output::print(&listed_rows(request.format, HEADS, &rows, objects))?;
    if rows.is_empty() && request.format != OutputFormat::Json {
        call.note("nothing is down");
    }
    snapshot.odd.iter().for_each(|odd| call.note(odd));
    Ok(0)
}

/// A downtime of a host.
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
        for (service, report) in snapshot.down.get(host).into_iter().flatten() {
            let slots = snapshot.slots.get(host);
            downtimes.push(HostDowntime {
                host,
                is_lost: !snapshot.alive.contains(host),
                service,
                report,
                slot: slots.and_then(|slots| slots.get(service)),
            });
        }
    }
    downtimes
}

fn cells(downtime: &HostDowntime<'_>) -> [String; 8] {
    let report = downtime.report;
    let host = match downtime.is_lost {
        true => format!("{} (lost)", downtime.host),
        false => downtime.host.to_owned(),
    };
    let (origin, by, phase) = match downtime.slot {
        Some(slot) => (
            format!("slot {}", slot.roll),
            &slot.by,
            format!(" ({} since {})", slot.phase, times::brief(slot.since)),
        ),
        None => (report.origin.clone(), &report.by, String::new()),
    };
    let reason = format!("{}{phase}", report.reason);
    [
        host,
        downtime.service.to_owned(),
        moment(report.since),
        end(report.until),
        one_line(&origin),
        one_line(by),
        format!("{}/{}", report.acted, report.pollers),
        one_line(reason.trim_start()),
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
