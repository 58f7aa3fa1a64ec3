//! What `haup`, `hadown`, `hastatus`, `hashowdowned` and `halist` share: one set of options, and `-a`, by which each of
//! them can do what the others do, as in the originals.

pub(crate) mod down;
pub(crate) mod downed;
pub(crate) mod list;
mod notes;
mod options;
mod pollers;
mod request;
pub(crate) mod status;
pub(crate) mod up;

use std::time::Duration;

use crate::cli::applet::Call;
use crate::cli::client::{self, Daemon};
use crate::cli::failure::Failure;
use crate::cli::output::warnings;
use crate::ledger::Page;
use crate::spool::ALL;
pub(crate) use options::Args;
pub(crate) use request::{Request, Target};

/// How long the daemon may take to tell who polls.
const ANSWER: Duration = Duration::from_secs(3);

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Up,
    Down,
    Status,
    Downed,
    List,
}

impl Action {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text {
            "up" => Ok(Self::Up),
            "down" => Ok(Self::Down),
            "status" => Ok(Self::Status),
            "status_downed" => Ok(Self::Downed),
            "list" => Ok(Self::List),
            _ => Err(Failure::usage(format!(
                "-a: {text:?} is not an action; give up, down, status, status_downed or list"
            ))),
        }
    }

    fn takes_services(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Status)
    }
}

/// Runs one of the five: the one that `-a` says, else the one that was called.
pub(crate) fn run(call: &Call, called: Action) -> Result<u8, Failure> {
    warnings::show();
    let args: Args = call.parse()?;
    let action = args.action.as_deref().map_or(Ok(called), Action::parse)?;
    let request = request::request(args, action)?;
    note_other_case(call, &request.targets);
    match action {
        Action::Up => up::act(call, &request),
        Action::Down => down::act(call, &request),
        Action::Status => status::act(call, &request),
        Action::Downed => downed::act(call, &request),
        Action::List if request.pollers => pollers::act(call, &request),
        Action::List => list::act(call, &request),
    }
}

/// The name that takes the whole host down is written in one way only.
fn note_other_case(call: &Call, targets: &[Target]) {
    let other = |name: &str| name != ALL && name.eq_ignore_ascii_case(ALL);
    if let Some(target) = targets
        .iter()
        .find(|t| other(t.key.service_name().as_str()))
    {
        let name = target.key.service_name();
        call.note(&format!(
            "'{name}' is a service like any other; the name for everything on this host is '{ALL}'"
        ));
    }
}

/// What the daemon says of the pollers right now; the inner error is a daemon that does not answer.
///
/// # Errors
/// When the daemon looks into another spool: whatever is changed here, nobody would act on it.
pub(crate) fn asked(
    request: &Request,
    daemon: Daemon,
    keys: &[String],
) -> Result<Result<Page, String>, Failure> {
    let page = daemon.pollers(keys, ANSWER);
    if let Ok(page) = &page {
        let other = |e| Failure::failed(format!("{e}; nothing was changed"));
        client::same_root(page, &request.spool, request.port).map_err(other)?;
    }
    Ok(page)
}

/// What went wrong with single services, after the others were done.
pub(crate) fn outcome(code: u8, errors: &[String]) -> Result<u8, Failure> {
    if errors.is_empty() {
        Ok(code)
    } else {
        Err(Failure::failed(errors.join("\n")))
    }
}
