//! One run of a probe within its deadline.
//!
//! Rule: the one deadline is set here, from the wait for a slot to the last byte. A probe itself never times out.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::asker::Rank;
use super::effective::ServiceSettings;
use super::{Asker, Context, Outcome, Protocol, QueryError, Target, Trace};
use crate::http::memory::{MemoryFull, MemoryPermit, SMALL_ANSWER};
use crate::net::Host;

/// One probe under way: what the probe of a protocol gets.
pub(crate) struct Probe<'a> {
    /// The row that is run.
    pub(crate) protocol: &'static Protocol,
    /// What is probed.
    pub(crate) target: &'a Target,
    /// Settings and shared means.
    pub(crate) context: &'a Context,
    /// What was done so far.
    pub(crate) trace: &'a Trace,
    /// When it must be over.
    pub(crate) deadline: Instant,
    /// For whom it runs.
    pub(super) asker: Asker,
    /// It waits for a slot: if the deadline comes now, that says nothing of the target.
    waits: AtomicBool,
    /// The look-up of the target's name led to this host.
    name_is_ours: AtomicBool,
}

impl<'a> Probe<'a> {
    /// The settings of the target's service.
    #[must_use]
    pub(crate) fn service(&self) -> ServiceSettings<'a> {
        self.context.settings.service(&self.target.service)
    }

    /// `http 127.0.0.1:8080`, for messages.
    #[must_use]
    pub(crate) fn subject(&self) -> String {
        let Target { host, port, .. } = self.target;
        format!("{} {host}:{port}", self.protocol.name)
    }

    /// The same probe where a redirect leads.
    pub(super) fn redirected<'b>(
        &'b self,
        protocol: &'static Protocol,
        target: &'b Target,
    ) -> Probe<'b> {
        Probe {
            protocol,
            target,
            context: self.context,
            trace: self.trace,
            deadline: self.deadline,
            asker: self.asker,
            // Not those of the first probe: where a redirect leads says nothing of the place that was asked for.
            waits: AtomicBool::new(false),
            name_is_ours: AtomicBool::new(false),
        }
    }

    /// Waits for a slot to be free.
    pub(super) async fn wait_for<T>(
        &self,
        stage: &'static str,
        slot: impl Future<Output = T>,
    ) -> T {
        self.trace.stage(stage);
        self.in_line(slot).await
    }

    /// The same, as a part of the stage that it is in.
    pub(super) async fn in_line<T>(&self, slot: impl Future<Output = T>) -> T {
        self.waits.store(true, Ordering::Relaxed);
        // Where the deadline comes here, this future is dropped, and the flag stays set for `run`.
        let slot = slot.await;
        self.waits.store(false, Ordering::Relaxed);
        slot
    }

    /// The addresses of the target that may be probed, in the order to try them.
    pub(super) async fn addresses(&self) -> Result<Vec<SocketAddr>, Outcome> {
        let found = self.context.addresses(self).await?;
        // Of an address everybody can see whose it is; of a name only this look-up tells.
        if matches!(self.target.host, Host::Name(_)) {
            let is_ours = self.lead_here(&found);
            self.name_is_ours.store(is_ours, Ordering::Relaxed);
        }

        Ok(found)
    }

    fn lead_here(&self, addresses: &[SocketAddr]) -> bool {
        let mut addresses = addresses.iter().map(SocketAddr::ip);
        addresses.any(|address| self.context.leads_here(address))
    }

    /// A failure that names protocol, address, cause and duration.
    pub(crate) fn failed(&self, cause: impl fmt::Display) -> Outcome {
        let subject = self.subject();
        let elapsed = self.trace.elapsed();
        Outcome::unavailable(format!("{subject}: {cause} after {elapsed}"))
    }

    /// The options of the query string; else the answer to wrong ones.
    pub(super) fn options<T>(
        &self,
        parse: fn(&str) -> Result<T, QueryError>,
    ) -> Result<T, Outcome> {
        let name = self.protocol.name;
        let options = parse(self.target.query());
        options.map_err(|e| Outcome::bad_request(format!("{name}: {e}")))
    }

    /// What a step of the check gives; where it failed, that is the outcome.
    pub(crate) fn or_failed<T>(&self, step: Result<T, impl fmt::Display>) -> Result<T, Outcome> {
        step.map_err(|e| self.failed(e))
    }

    /// A failure for want of memory, which says nothing of the target.
    pub(super) fn full(&self, full: MemoryFull) -> Outcome {
        Outcome {
            overload: true,
            ..self.failed(full)
        }
    }

    /// A place in memory for what the target sends.
    pub(super) fn memory(&self) -> MemoryPermit {
        let permit = self.context.memory.permit(SMALL_ANSWER);
        permit.for_established(self.asker.rank() != Rank::Stranger)
    }
}

/// Runs one probe within its deadline.
pub async fn run(
    asker: Asker,
    protocol: &'static Protocol,
    target: &Target,
    context: &Context,
    trace: &Trace,
) -> Outcome {
    let probe = Probe {
        protocol,
        target,
        context,
        trace,
        // Before the first wait, so that waiting for a slot counts too.
        deadline: Instant::now() + limit(target, context),
        asker,
        waits: AtomicBool::new(false),
        name_is_ours: AtomicBool::new(false),
    };

    let outcome = run_in_time(&probe).await;
    Outcome {
        name_is_ours: probe.name_is_ours.load(Ordering::Relaxed),
        ..outcome
    }
}

async fn run_in_time(probe: &Probe<'_>) -> Outcome {
    let work = run_in_slot(probe);
    match tokio::time::timeout_at(probe.deadline.into(), work).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome {
            // A probe that still waits says nothing of its target.
            overload: probe.waits.load(Ordering::Relaxed),
            ..timed_out(probe)
        },
    }
}

/// How long a probe may take.
fn limit(target: &Target, context: &Context) -> Duration {
    match target.limit {
        Some(own) => own,
        None => context.settings.service(&target.service).timeout(),
    }
}

/// Waits for a slot, then probes.
async fn run_in_slot(probe: &Probe<'_>) -> Outcome {
    let slots = &probe.context.slots;
    let slot = slots.take(probe.protocol, probe.target, probe.asker);
    let stage = "waiting for a free slot (max_clients, max_probes_per_target)";
    match probe.wait_for(stage, slot).await {
        // The permit lives to the end of this arm, so the slot is taken for as long as the probe runs.
        Ok(_permit) => (probe.protocol.probe)(probe).await,
        Err(full) => full,
    }
}

/// The outcome at the deadline.
pub(super) fn timed_out(probe: &Probe<'_>) -> Outcome {
    let text = format!("Connection timed out after {}", probe.trace.elapsed());
    // The stage that it is in tells most: a name server that hangs looks like a service that hangs.
    let detail = format!("{}, {}", probe.subject(), probe.trace.current());
    // Clients of the originals compare this body with theirs.
    if probe.protocol.bare_timeout {
        Outcome::unavailable(text).because(detail)
    } else {
        Outcome::unavailable(format!("{text}: {detail}"))
    }
}
