//! `haup --fleet`.

use super::client::FleetClient;
use super::plan::{self, Plan};
use super::request::FleetRequest;
use super::scope;
use super::waiting::finish;
use super::write::{author, write};
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::wait::interrupt::Interrupt;
use crate::fleet::Snapshot;
use crate::spool::unix_now;

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

    call.note_all(&written.notes);
    finish(call, &mut client, request, &mut written, &interrupt)
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
