//! What `haup`, `hadown`, `hastatus`, `hashowdowned` and `halist` share: one set of options, and `-a`, by which each of
//! them can do what the others do, as in the originals.

mod options;
mod request;

use std::io::Write as _;
use std::time::Duration;

use super::ask::{self, Daemon};
use super::{Call, Failure, down, downed, list, pollers, status, up};
use crate::ledger::Page;
use crate::spool::ALL;
pub(super) use options::Args;
pub(super) use request::{Request, Target};

/// How long the daemon may take to tell who polls.
const ANSWER: Duration = Duration::from_secs(3);

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
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
pub(super) fn run(call: &Call, called: Action) -> Result<u8, Failure> {
    show_warnings();
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
pub(super) fn asked(
    request: &Request,
    daemon: Daemon,
    keys: &[String],
) -> Result<Result<Page, String>, Failure> {
    let page = daemon.pollers(keys, ANSWER);
    if let Ok(page) = &page {
        let other = |e| Failure::failed(format!("{e}; nothing was changed"));
        ask::same_root(page, &request.spool, request.port).map_err(other)?;
    }
    Ok(page)
}

/// What went wrong with single services, after the others were done.
pub(super) fn outcome(code: u8, errors: &[String]) -> Result<u8, Failure> {
    if errors.is_empty() {
        Ok(code)
    } else {
        Err(Failure::failed(errors.join("\n")))
    }
}

/// Shows on standard error what the spool logs, such as a lock that another process holds for too long.
pub(super) fn show_warnings() {
    struct Warnings;
    impl log::Log for Warnings {
        fn enabled(&self, metadata: &log::Metadata) -> bool {
            metadata.level() <= log::Level::Warn && metadata.target().starts_with("hacheck")
        }
        fn log(&self, record: &log::Record) {
            if self.enabled(record.metadata()) {
                let _ = writeln!(std::io::stderr(), "hacheck: warning: {}", record.args());
            }
        }
        fn flush(&self) {}
    }
    // Fails only where a logger stands already, which then shows them.
    if log::set_logger(&Warnings).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}
