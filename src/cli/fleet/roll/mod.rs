//! `haroll --fleet`: `haroll --max-down` on one host after the other, as many at once as may be down.
//!
//! Rules: what a host may do it is granted on that host; here is decided only whom to ask. Nothing that runs comes from the
//! engine: the command is the operator's, `via` is this host's file, and what the engine says are names, which are checked.
//! Whatever happens here, a host that has begun finishes by itself.

mod begin;
mod dry;
mod host;
mod json;
mod lines;
mod lock;
mod out;
mod outcome;
mod run;
mod scope;
mod screen;
mod tasks;
mod told;
mod via;

use self::begin::BegunRoll;
use super::client::FleetClient;
use super::request::FleetFile;
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::output::entries::OutputFormat;
use crate::cli::wait::interrupt::Interrupt;
use crate::fleet::{RollId, Selector};
use crate::names::Key;

/// A command line that makes sense.
pub(crate) struct RollRequest {
    pub(crate) file: FleetFile,
    pub(crate) format: OutputFormat,
    pub(crate) task: RollTask,
}

/// What is asked for.
pub(crate) enum RollTask {
    Begin(NewRoll),
    /// Only show what would be done.
    Show(NewRoll),
    Resume(ResumedRoll),
}

/// A roll that has not begun.
pub(crate) struct NewRoll {
    pub(crate) key: Key,
    pub(crate) selector: Selector,
    /// A limit of slots, as it was typed.
    pub(crate) max_down: String,
    pub(crate) per: Option<String>,
    pub(crate) max_failed: u32,
    /// Words for haroll on each host.
    pub(crate) options: Vec<String>,
    pub(crate) command: Vec<String>,
}

/// A roll that goes on.
pub(crate) struct ResumedRoll {
    pub(crate) id: RollId,
    /// In place of what it began with.
    pub(crate) max_down: Option<String>,
    pub(crate) max_failed: Option<u32>,
}

pub(crate) fn act(call: &Call, request: &RollRequest) -> Result<u8, Failure> {
    let mut client = FleetClient::open(call, &request.file)?;
    if let RollTask::Show(new) = &request.task {
        return dry::show(call, &mut client, new, request.format);
    }

    via::refuse_unless_runnable(&client.settings.via)?;
    // From here on Ctrl-C is held back, so that it cannot come between a host's begin and its note.
    let interrupt = Interrupt::hold()?;
    let begun = match &request.task {
        RollTask::Begin(new) | RollTask::Show(new) => BegunRoll::new(call, &mut client, new)?,
        RollTask::Resume(resumed) => BegunRoll::again(call, &mut client, resumed)?,
    };
    run::run(call, &mut client, begun, &interrupt, request.format)
}
