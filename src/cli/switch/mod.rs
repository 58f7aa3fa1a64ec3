//! What `haup`, `hadown`, `hastatus`, `hashowdowned` and `halist` share: one set of options, and
//! `-a`, by which each of them can do what the others do, as in the replaced tools.

pub(crate) mod down;
pub(crate) mod downed;
mod fleet;
pub(crate) mod list;
mod misplaced;
mod notes;
mod options;
mod pollers;
mod request;
pub(crate) mod status;
mod subjects;
pub(crate) mod up;
mod words;

use argh::{ArgsInfo as _, CommandInfoWithArgs};

use crate::cli::applet::Call;
use crate::cli::failure::{Failure, usage};
use crate::cli::fleet::local;
use crate::cli::output::warnings;
use options::SwitchArgs;
use request::SwitchRequest;

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    Up,
    Down,
    Status,
    Downed,
    List,
}

impl Task {
    /// Parses the value of `-a`.
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "up" => Ok(Self::Up),
            "down" => Ok(Self::Down),
            "status" => Ok(Self::Status),
            "status_downed" => Ok(Self::Downed),
            "list" => Ok(Self::List),
            _ => Err(usage!(
                "-a: {text:?} is not an action; give up, down, status, status_downed or list"
            )),
        }
    }

    fn run(self, request: &SwitchRequest) -> Result<u8, Failure> {
        match self {
            Self::Up => up::act(request),
            Self::Down => down::act(request),
            Self::Status => status::act(request),
            Self::Downed => downed::act(request),
            Self::List if request.pollers => pollers::act(request),
            Self::List => list::act(request),
        }
    }

    /// Whether people on a terminal get a table. The lines of `hastatus` are the same everywhere: people know them by heart.
    fn has_table(self) -> bool {
        matches!(self, Self::Downed | Self::List)
    }

    /// Whether it tells what the fleet has ordered here.
    fn looks_at_fleet(self) -> bool {
        matches!(self, Self::Up | Self::Status | Self::Downed)
    }

    fn takes_services(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Status)
    }
}

/// The options of all five.
fn info() -> CommandInfoWithArgs {
    SwitchArgs::get_args_info()
}

/// Runs one of the five: the one that `-a` names, else the one that was called.
fn run(call: &Call, called: Task) -> Result<u8, Failure> {
    warnings::show();
    let args: SwitchArgs = call.parse()?;
    // `hadown -a up` is haup, as in the replaced tools.
    let task = match args.action.as_deref() {
        Some(action) => Task::parse(action)?,
        None => called,
    };

    match args.fleet {
        true => fleet::run(call, &args, task),
        false => run_here(call, args, task),
    }
}

/// Acts on this host alone.
fn run_here(call: &Call, args: SwitchArgs, task: Task) -> Result<u8, Failure> {
    let mut request = request::read(call, args, task)?;
    // Only now: a wrong command line ends before the file of the fleet is read, and told of.
    if task.looks_at_fleet() {
        request.fleet_spool = local::spool(call, &request.fleet_file);
    }

    notes::note_other_case(&request);
    task.run(&request)
}
