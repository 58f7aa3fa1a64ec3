//! `haup --fleet`.

use super::client::FleetClient;
use super::plan::{self, Author, ORDERS_MAX, Plan};
use super::request::FleetRequest;
use super::scope;
use super::waiting::finish;
use super::write::{WrittenOrders, author, write};
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::wait::interrupt::Interrupt;
use crate::fleet::Snapshot;
use crate::spool::unix_now;

/// Most lifts of one command; a host that always says something else must not keep it for ever.
const LIFTS_MAX: usize = 100 * ORDERS_MAX;

pub(crate) fn act(call: &Call, request: &FleetRequest) -> Result<u8, Failure> {
    let mut client = FleetClient::open(call, &request.file)?;
    let author = author();
    let fleet = client.settings.fleet.clone();
    // From here on Ctrl-C is held back, so that it cannot come between a write and its report.
    let interrupt = Interrupt::hold()?;
    let mut written = write(&mut client, &|snapshot| {
        let plan = plan::up(request, snapshot, &author);
        refuse_slips(request, snapshot, &fleet, &plan)?;
        Ok(plan)
    })?;

    lift_rest(&mut client, request, &author, &mut written)?;
    call.note_all(&written.notes);
    finish(call, &mut client, request, &mut written, &interrupt)
}

/// Lifts what one transaction could not hold. Each lift stands for itself.
fn lift_rest(
    client: &mut FleetClient,
    request: &FleetRequest,
    author: &Author,
    written: &mut WrittenOrders,
) -> Result<(), Failure> {
    let mut last = written.orders.len();
    while last == ORDERS_MAX && written.orders.len() < LIFTS_MAX {
        let lifted = written.orders.len();
        let more = write(client, &|snapshot| Ok(plan::up(request, snapshot, author)));
        let more = more.map_err(|e| e.and_line(format!("{lifted} orders were lifted before")))?;
        last = more.orders.len();
        written.orders.extend(more.orders);
    }

    Ok(())
}

/// A slip of the finger is told; what is ordered can be lifted, whoever serves it.
fn refuse_slips(
    request: &FleetRequest,
    snapshot: &Snapshot,
    fleet: &str,
    plan: &Plan,
) -> Result<(), Failure> {
    for key in &request.keys {
        if !plan.lifts(key) {
            scope::refuse_empty(snapshot, fleet, key, &request.selector, unix_now())?;
        }
    }

    Ok(())
}
