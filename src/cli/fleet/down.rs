//! `hadown --fleet`.

use super::client::FleetClient;
use super::plan;
use super::request::FleetRequest;
use super::waiting::finish;
use super::write::{author, write};
use crate::cli::applet::Call;
use crate::cli::args::reason;
use crate::cli::failure::{Failure, failed};
use crate::cli::output;
use crate::cli::wait::interrupt::Interrupt;
use crate::names::{ALL, Key};

pub(crate) fn act(call: &Call, mut request: FleetRequest) -> Result<u8, Failure> {
    request.reason = request.reason.or_else(reason::of_user);
    if request.reason.is_none() {
        output::print("please use --reason option to tell us who you REALLY are\n")?;
        return Ok(1);
    }

    refuse_everything(&request)?;
    order(call, &request)
}

fn order(call: &Call, request: &FleetRequest) -> Result<u8, Failure> {
    let mut client = FleetClient::open(call, &request.file)?;
    let author = author();
    let fleet = client.settings.fleet.clone();
    // From here on Ctrl-C is held back, so that it cannot come between a write and its report.
    let interrupt = Interrupt::hold()?;
    let mut written = write(&mut client, &|snapshot| {
        plan::down(request, snapshot, &fleet, &author)
    })?;

    call.note_all(&written.notes);
    finish(call, &mut client, request, &mut written, &interrupt)
}

/// Every host of the fleet at once is seldom what is meant.
fn refuse_everything(request: &FleetRequest) -> Result<(), Failure> {
    let is_meant = request.force || !request.selector.is_every_host();
    if is_meant || !request.keys.iter().any(is_everything) {
        return Ok(());
    }

    Err(failed!(
        "'{ALL}' on every host takes the whole fleet out of rotation; choose hosts with --where or --hosts, or add --force"
    ))
}

fn is_everything(key: &Key) -> bool {
    key.service_name().as_str() == ALL && key.port().is_none()
}
