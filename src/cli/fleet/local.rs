//! What the fleet has ordered of this host, by this host's disk: for the commands that act here. No engine is asked.

use super::client;
use super::output::{described, described_order};
use super::request::FleetFile;
use crate::cli::applet::Call;
use crate::cli::args::reason;
use crate::cli::failure::{Failure, failed};
use crate::fleet::Order;
use crate::fleet::held;
use crate::fleet::picture::{FLEET_ORIGIN, covering};
use crate::fleet::settings;
use crate::spool::{Downtime, Key, Spool};

/// The spool of what the fleet has ordered here; `None` where this host is in no fleet.
pub(crate) fn spool(call: &Call, file: &FleetFile) -> Option<Spool> {
    if file.is_none() {
        return None;
    }

    match settings::load(&file.path) {
        // What is odd about the file is told by the commands of the fleet, and would only stand in the way here.
        Ok((settings, _)) => Some(Spool::at(settings.state_dir)),
        Err(faults) => {
            call.note(&format!(
                "cannot tell what the fleet has ordered here: {faults}"
            ));
            None
        }
    }
}

/// Whether a downtime was written for the fleet.
pub(crate) fn is_of_fleet(downtime: &Downtime) -> bool {
    let origin = downtime.origin();
    origin.is_some_and(|origin| origin.starts_with(FLEET_ORIGIN))
}

/// The orders that hold these keys down here, in a sentence each.
pub(crate) fn holding(spool: Option<&Spool>, keys: &[Key]) -> Vec<String> {
    let Some(spool) = spool else {
        return Vec::new();
    };

    let mut sentences = Vec::new();
    for key in keys {
        for name in covering(key) {
            // Names that cover a key are names of spool entries themselves.
            if let Ok(other) = Key::parse(&name) {
                sentences.extend(held_by(spool, key, &other));
            }
        }
    }

    sentences
}

/// The order of another key, or of the key itself, that holds a key down.
fn held_by(spool: &Spool, key: &Key, other: &Key) -> Option<String> {
    match spool.read(other) {
        Ok(downtime) => Some(sentence(key, other, &downtime?)),
        Err(e) => Some(format!(
            "cannot tell whether the fleet has ordered {other} down: {e}"
        )),
    }
}

/// `web stays down: fleet order by alice since 18:05 until 20:05, for "new disk"; 'haup --fleet web' …`.
pub(crate) fn sentence(key: &Key, ordered: &Key, downtime: &Downtime) -> String {
    let by = downtime.by().unwrap_or_default();
    let time = (downtime.creation, downtime.expiration);
    let order = described("fleet order", by, time, &downtime.one_line());
    format!(
        "{key} stays down: {order}; 'haup --fleet {ordered}' lifts it everywhere, 'haup --override-fleet -r WHY {ordered}' here"
    )
}

/// `haup --override-fleet`: this host does not obey the orders that hold these keys now.
pub(crate) fn waive(call: &Call, file: &FleetFile, keys: &[Key], why: &str) -> Result<(), Failure> {
    let settings = client::settings(call, file)?;
    let spool = Spool::at(settings.state_dir);
    let by = reason::user();
    let mut failures = Vec::new();
    for key in keys {
        match held::waive(&spool, key, &by, why) {
            Ok(orders) => tell_waived(call, key, &orders),
            // One that cannot be waived does not keep the others from it.
            Err(e) => failures.push(failed!("{e}")),
        }
    }

    Failure::unless_empty(&failures)
}

fn tell_waived(call: &Call, key: &Key, orders: &[Order]) {
    if orders.is_empty() {
        call.note(&format!("no order of the fleet holds {key} down here"));
    }

    for order in orders {
        let order = described_order(order);
        call.say(&format!(
            "{key}: waived on this host: {order}; the next order counts again"
        ));
    }
}
