//! One run of a probe within its deadline.
//!
//! Rule: the one deadline is set here, from the wait for a slot to the last byte. A probe itself never times out.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::{Context, Name, Outcome, Protocol, Target, Trace};

/// One probe under way: what a [`ProbeFn`](super::ProbeFn) gets.
pub struct Probe<'a> {
    /// The row that is run.
    pub protocol: &'static Protocol,
    /// What is probed.
    pub target: &'a Target,
    /// Settings and shared means.
    pub context: &'a Context,
    /// What was done so far.
    pub trace: &'a Trace,
    /// When it must be over.
    pub deadline: Instant,
}

impl Probe<'_> {
    /// `http 127.0.0.1:8080`, for messages.
    #[must_use]
    pub fn subject(&self) -> String {
        let Target { host, port, .. } = self.target;
        format!("{} {host}:{port}", self.protocol.name)
    }

    /// A failure that names protocol, address, cause and duration.
    pub fn failed(&self, cause: impl fmt::Display) -> Outcome {
        let subject = self.subject();
        let elapsed = self.trace.elapsed();
        Outcome::unavailable(format!("{subject}: {cause} after {elapsed}"))
    }
}

/// Runs one probe within its deadline.
pub async fn run(
    protocol: &'static Protocol,
    target: &Target,
    context: &Context,
    trace: &Trace,
) -> Outcome {
    run_as(None, protocol, target, context, trace).await
}

/// Runs the probe of a check that has a name, by which it is known again: one that passed lately finds a slot among
/// made-up ones.
pub async fn run_as(
    check: Option<Name>,
    protocol: &'static Protocol,
    target: &Target,
    context: &Context,
    trace: &Trace,
) -> Outcome {
    let deadline = Instant::now() + limit(target, context);
    let probe = Probe {
        protocol,
        target,
        context,
        trace,
        deadline,
    };
    let started = AtomicBool::new(false);
    let work = run_in_slot(&probe, check, &started);
    let outcome = match tokio::time::timeout_at(deadline.into(), work).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome {
            // A probe that never started says nothing of its target.
            overload: !started.load(Ordering::Relaxed),
            ..timed_out(&probe)
        },
    };
    if let Some(check) = check
        && outcome.passes()
    {
        context.slots.note_passed(check, target);
    }
    outcome
}

/// How long a probe may take.
fn limit(target: &Target, context: &Context) -> Duration {
    match target.limit {
        Some(own) => own,
        None => context.settings.timeout_of(&target.service),
    }
}

/// Waits for a slot, then probes; `started` tells which of the two it is.
async fn run_in_slot(probe: &Probe<'_>, check: Option<Name>, started: &AtomicBool) -> Outcome {
    probe.trace.stage("waiting for a free slot (max_clients)");
    match probe.context.slots.take(probe.target, check).await {
        Ok(_slot) => {
            started.store(true, Ordering::Relaxed);
            (probe.protocol.probe)(probe).await
        }
        Err(full) => full,
    }
}

fn timed_out(probe: &Probe<'_>) -> Outcome {
    let text = format!("Connection timed out after {}", probe.trace.elapsed());
    let detail = format!("{}, {}", probe.subject(), probe.trace.current());
    if probe.protocol.bare_timeout {
        Outcome::unavailable(text).because(detail)
    } else {
        Outcome::unavailable(format!("{text}: {detail}"))
    }
}
