//! One open connection: what it does, as far as that decides who is evicted.
//!
//! Rule: every change goes to the table at once, with the time from which it counts.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::Notify;

use super::Connections;
use super::table::{Id, State};
use crate::http::HttpSettings;
use crate::http::foreign::{FIRST, Foreign};
use crate::http::memory::MemoryBudget;
use crate::os::cause::cause_text;
use crate::os::logging::Seldom;

/// How often failed TLS handshakes are logged.
static HANDSHAKES: Seldom = Seldom::new();

/// An open connection, as its task holds it. It leaves the table when this is dropped, however the task ends.
pub(crate) struct OpenConnection {
    pub(super) connections: Arc<Connections>,
    pub(super) id: Id,
    /// Notified when it seems to be idle for too long.
    pub(super) overdue: Arc<Notify>,
    /// Requests so far.
    requests: AtomicU64,
    /// Requests that are being answered.
    asked: AtomicUsize,
    /// An answer is not read.
    is_unread: AtomicBool,
    /// Its last request was one of an established poller.
    is_established: AtomicBool,
    /// A part of the next request has come.
    has_begun: AtomicBool,
    /// Its requests are told apart by HTTP/2, so that not each byte is a part of one.
    is_http2: AtomicBool,
    /// How it begins; zeros stand for what has not come.
    first: OnceLock<[u8; FIRST]>,
    /// Where it came from.
    address: IpAddr,
}

impl OpenConnection {
    pub(super) fn new(
        connections: Arc<Connections>,
        id: Id,
        address: IpAddr,
        overdue: Arc<Notify>,
    ) -> Self {
        Self {
            connections,
            id,
            overdue,
            requests: AtomicU64::new(0),
            asked: AtomicUsize::new(0),
            is_unread: AtomicBool::new(false),
            is_established: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            is_http2: AtomicBool::new(false),
            first: OnceLock::new(),
            address,
        }
    }

    /// The settings of the listeners.
    pub(in crate::http) fn settings(&self) -> &HttpSettings {
        &self.connections.settings
    }

    /// The budget for what is held for pollers.
    pub(in crate::http) fn memory(&self) -> &Arc<MemoryBudget> {
        &self.connections.memory
    }

    /// Requests so far.
    pub(in crate::http) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether a request is being answered, or an answer is not read yet.
    pub(in crate::http) fn is_busy(&self) -> bool {
        matches!(self.state(), State::Busy | State::Unread)
    }

    /// A complete request is there: idle connections are evicted before this one, until it is answered, which is when
    /// the result is dropped.
    pub(crate) fn busy(self: &Arc<Self>, now: Instant) -> RequestInFlight {
        // All of these first: the state is derived from them.
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.has_begun.store(false, Ordering::Relaxed);
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.enter_state(now);
        RequestInFlight(Arc::clone(self))
    }

    /// Its requests come by HTTP/2.
    pub(in crate::http) fn speaks_http2(&self) {
        self.is_http2.store(true, Ordering::Relaxed);
    }

    /// A part of a request has come between two of them: the rest has as long as that of a first one.
    pub(in crate::http) fn begins_request(&self) {
        let is_between = self.state() == State::Kept && !self.is_http2.load(Ordering::Relaxed);
        if is_between {
            self.has_begun.store(true, Ordering::Relaxed);
            self.enter_state(Instant::now());
        }
    }

    /// Notes whether its last request was one of an established poller.
    pub(in crate::http) fn note_established(&self, is_established: bool) {
        self.is_established.store(is_established, Ordering::Relaxed);
    }

    /// Whether it was.
    pub(in crate::http) fn is_established(&self) -> bool {
        self.is_established.load(Ordering::Relaxed)
    }

    /// The answer waits for the poller to read.
    pub(in crate::http) fn waits_for_reader(&self) {
        self.is_unread.store(true, Ordering::Relaxed);
        self.enter_state(Instant::now());
    }

    /// The poller has read everything.
    pub(in crate::http) fn was_read(&self) {
        self.is_unread.store(false, Ordering::Relaxed);
        self.enter_state(Instant::now());
    }

    /// Notes the first bytes; all later ones are none.
    pub(in crate::http) fn begins_with(&self, bytes: &[u8]) {
        if bytes.is_empty() || self.first.get().is_some() {
            return;
        }

        let mut first = [0; FIRST];
        let length = bytes.len().min(FIRST);
        first[..length].copy_from_slice(&bytes[..length]);
        // Only the first read counts, even if it was too short to tell the protocol.
        let _ = self.first.set(first);
    }

    /// What its first bytes are, if any came.
    pub(in crate::http) fn spoke(&self) -> Option<Foreign> {
        self.first.get().map(|first| Foreign::of(first))
    }

    /// Counts it as one that is closed because the address that it tells may not ask.
    pub(in crate::http) fn turn_away(&self) {
        self.connections.turn_away();
    }

    /// Counts it as one that does not speak what its port does.
    pub(crate) fn is_foreign(&self, kind: Foreign) {
        self.connections.foreign.add(kind, self.address);
    }

    /// Counts a TLS handshake that failed. Who sent nothing has only looked whether somebody listens.
    pub(in crate::http) fn failed_handshake(&self, e: &io::Error) {
        match self.spoke() {
            None => {}
            Some(Foreign::Tls) => {
                let failed = &self.connections.failed_handshakes;
                failed.fetch_add(1, Ordering::Relaxed);
                self.log_failed_handshake(e);
            }
            Some(kind) => self.is_foreign(kind),
        }
    }

    fn log_failed_handshake(&self, e: &io::Error) {
        if let Some(times) = HANDSHAKES.now() {
            let (from, cause) = (self.address, cause_text(e));
            log::warn!("the TLS handshake of {from} failed: {cause}{times}");
        }
    }

    /// Only the connection's own tasks change it.
    fn state(&self) -> State {
        // In this order: an unread answer holds memory whatever else happens on the connection.
        if self.is_unread.load(Ordering::Relaxed) {
            State::Unread
        } else if self.asked.load(Ordering::Relaxed) > 0 {
            State::Busy
        } else if self.requests() > 0 && !self.has_begun.load(Ordering::Relaxed) {
            State::Kept
        } else {
            State::Idle
        }
    }

    fn enter_state(&self, now: Instant) {
        let state = self.state();
        self.connections.table().set(self.id, state, now);
        // A listener may be waiting for an idle connection to evict.
        if matches!(state, State::Idle | State::Kept) {
            self.connections.changed.notify_waiters();
        }
    }
}

/// A request that is being answered. Over HTTP/2 a connection has several, and any of them may be given up.
#[must_use]
pub(crate) struct RequestInFlight(Arc<OpenConnection>);

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::Relaxed);
        self.0.enter_state(Instant::now());
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        // The row goes first: `count` is never below the number of rows, so room is never seen too early.
        self.connections.table().remove(self.id);
        self.connections.count.fetch_sub(1, Ordering::Relaxed);
        self.connections.changed.notify_waiters();
    }
}
