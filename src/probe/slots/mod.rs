//! Slots for the probes that run at once: of all, of each target, and of each command.
//!
//! Rule: who gets a slot and who waits is decided by [`Places`]. The configuration's own checks are so many as it says, and
//! need no slot of their target.

mod by_key;
mod places;

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::by_key::{ByKey, InUse};
pub(super) use self::places::{Places, Seat};
use super::asker::Asker;
use super::exec::EXEC;
use super::{Outcome, Protocol, Target};
use crate::net::Host;

/// What has slots of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum SlotKey {
    /// Host and port.
    Target(Host, u16),
    /// A command, whatever service and port it is asked for.
    Command(Box<str>),
}

impl SlotKey {
    fn of(protocol: &Protocol, target: &Target) -> Self {
        // A command has no target: how often it runs at once is limited by its name.
        if protocol.name == EXEC.name {
            return Self::Command(target.segment().into());
        }

        Self::Target(target.host.clone(), target.port)
    }
}

/// How many slots there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct SlotLimits {
    /// Probes at once.
    pub(super) all: usize,
    /// Probes of one host and port at once.
    pub(super) target: usize,
    /// Runs of one command at once.
    pub(super) command: usize,
    /// Probes that wait for a slot.
    pub(super) waiting: usize,
}

pub(super) struct Slots {
    limits: SlotLimits,
    all: Places,
    own: Arc<ByKey<SlotKey, Places>>,
    waiting: AtomicUsize,
    waiting_by_address: Arc<ByKey<IpAddr, ()>>,
}

/// The right to run a probe, given back when dropped.
pub(super) struct Permit {
    _slot: Seat,
    _own: Option<OwnSlot>,
}

/// The slot of a target or command.
struct OwnSlot {
    _place: Seat,
    _places: InUse<SlotKey, Places>,
}

impl Slots {
    pub(super) fn new(limits: SlotLimits) -> Self {
        Self {
            limits,
            all: Places::new(limits.all),
            own: Arc::default(),
            waiting: AtomicUsize::new(0),
            waiting_by_address: Arc::default(),
        }
    }

    /// Takes a slot for a check, and waits in line where none is free.
    ///
    /// # Errors
    /// Where none is free and too many checks of strangers wait already.
    pub(super) async fn take(
        &self,
        protocol: &Protocol,
        target: &Target,
        asker: Asker,
    ) -> Result<Permit, Outcome> {
        let mut taking = pin!(self.wait(protocol, target, asker));
        // Polled once: whoever finds a slot free at once is in no line, and no limit of the line refuses it.
        tokio::select! {
            biased;
            permit = taking.as_mut() => return Ok(permit),
            () = std::future::ready(()) => {}
        }

        let _in_line = self.join_line(asker)?;
        Ok(taking.await)
    }

    async fn wait(&self, protocol: &Protocol, target: &Target, asker: Asker) -> Permit {
        // The target's own first: those who wait for a target that hangs hold none of the slots for all.
        let own = match asker {
            Asker::Configuration => None,
            Asker::Established(_) | Asker::Stranger(_) => {
                Some(self.wait_for_own(protocol, target, asker).await)
            }
        };

        Permit {
            _slot: self.all.take(asker).await,
            _own: own,
        }
    }

    async fn wait_for_own(&self, protocol: &Protocol, target: &Target, asker: Asker) -> OwnSlot {
        let key = SlotKey::of(protocol, target);
        let limit = match key {
            SlotKey::Target(..) => self.limits.target,
            SlotKey::Command(_) => self.limits.command,
        };

        let places = self.own.begin(key, || Places::new(limit));
        OwnSlot {
            _place: places.value.take(asker).await,
            _places: places,
        }
    }

    /// Takes a place in the line; fails where there are too many, of all or of this address.
    fn join_line(&self, asker: Asker) -> Result<InLine<'_>, Outcome> {
        let most = self.limits.waiting;
        // Counted before it is looked at, so that of two who come at once one is refused; dropping it takes it back.
        let mut in_line = InLine::begin(&self.waiting);
        // The others wait for as long as their deadlines let them, and are counted only.
        let Asker::Stranger(address) = asker else {
            return Ok(in_line);
        };

        let of_address = self.waiting_by_address.begin(address, || ());
        if in_line.number > most || of_address.users > places::half(most) {
            let text = format!("{most} checks wait already (max_waiting)");
            return Err(Outcome::overload(text));
        }

        in_line._of_address = Some(of_address);
        Ok(in_line)
    }

    /// The most probes of pollers at once.
    pub(super) fn max(&self) -> usize {
        self.all.size()
    }

    /// Probes that run now.
    pub(super) fn running(&self) -> usize {
        self.all.taken()
    }

    /// Probes that wait for a slot.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The most probes of strangers that wait.
    pub(super) fn max_waiting(&self) -> usize {
        self.limits.waiting
    }
}

/// A place in the line, also when the deadline ends the waiting.
struct InLine<'a> {
    count: &'a AtomicUsize,
    number: usize,
    _of_address: Option<InUse<IpAddr, ()>>,
}

impl<'a> InLine<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        let before = count.fetch_add(1, Ordering::Relaxed);
        Self {
            count,
            number: before + 1,
            _of_address: None,
        }
    }
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
