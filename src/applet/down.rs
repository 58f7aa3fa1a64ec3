//! `hadown`: writes downtimes. Silent on success; what it replaced is told on standard error.

use argh::ArgsInfo as _;

use super::switch::{self, Action, Request, Target};
use super::{Applet, Call, Failure, output, reason, times};
use crate::spool::{Downtime, unix_now};

/// The row of the table.
pub(super) const APPLET: Applet = Applet {
    name: "down",
    alias: Some("hadown"),
    usage: "[options] SERVICE...",
    about: "takes services out of traffic: writes downtimes",
    info: switch::Args::get_args_info,
    run: |call| switch::run(call, Action::Down),
};

pub(super) fn act(call: &Call, request: &Request) -> Result<u8, Failure> {
    let Some(reason) = request.reason.clone().or_else(reason::of_user) else {
        return output::print("please use --reason option to tell us who you REALLY are\n").map(|()| 1);
    };
    request.spool.create_root().map_err(|e| Failure::failed(e.to_string()))?;
    if request.expiration.is_some_and(|e| e < unix_now()) {
        call.note("the expiration lies in the past, so nothing is taken down");
    }
    let mut errors = Vec::new();
    for target in &request.targets {
        note_unasked(call, target);
        let new = Downtime { reason: reason.clone(), expiration: request.expiration, ..Downtime::default() };
        match request.spool.down(&target.key, new) {
            Ok(Some(before)) if before.reason != reason => {
                call.note(&format!("{} was already down {}; replaced", target.key, description(&before)));
            }
            Ok(_) => {}
            Err(e) => errors.push(e.to_string()),
        }
    }
    switch::outcome(0, &errors)
}

/// A name that is fine in the spool may still be one that no check can carry.
fn note_unasked(call: &Call, target: &Target) {
    let service = target.key.service_name();
    if !service.fits_url() {
        call.note(&format!(
            "no check can ask for a service named {:?}: in check URLs names have letters, digits, '.', '_' and '-' only",
            service.as_str()
        ));
    }
}

/// `since 2026-12-01 18:00:00 +00:00 until …: reason`.
fn description(downtime: &Downtime) -> String {
    let since = downtime.creation.map_or("since an unknown time".to_owned(), |t| format!("since {}", times::show(t)));
    let until = downtime.expiration.map(|t| format!(" until {}", times::show(t))).unwrap_or_default();
    let reason = downtime.one_line();
    format!(
        "{since}{until}, {}",
        if reason.is_empty() { "without a reason".to_owned() } else { format!("for {reason:?}") }
    )
}
