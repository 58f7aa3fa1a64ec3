//! `haup`: lifts downtimes. Silent; a service that is not down is already up.

use argh::ArgsInfo as _;

use super::switch::{self, Action, Request};
use super::{Applet, Failure};

/// The row of the table.
pub(super) const APPLET: Applet = Applet {
    name: "up",
    alias: Some("haup"),
    usage: "[options] SERVICE...",
    about: "puts services back into traffic: lifts their downtimes",
    info: switch::Args::get_args_info,
    run: |call| switch::run(call, Action::Up),
};

pub(super) fn act(request: &Request) -> Result<u8, Failure> {
    request.spool.create_root().map_err(|e| Failure::failed(e.to_string()))?;
    let lifted = request.targets.iter().map(|target| request.spool.up(&target.key));
    let errors: Vec<_> = lifted.filter_map(Result::err).map(|e| e.to_string()).collect();
    switch::outcome(0, &errors)
}
