//! The fleet: orders for all hosts, kept in etcd; each host writes them to its own disk.
//!
//! Rules: the spool on the host's disk stays the truth, and no poller waits for the engine. Absence never lifts: a host
//! comes up by a newer order, by its end, by a waiver, or by a change of its own tags; never by silence. Every write to the
//! engine is a transaction that compares revisions, so that one that timed out can never win late.

pub mod agent;
pub mod engine;
mod figures;
pub mod held;
mod order;
pub(crate) mod overview;
mod paths;
pub mod picture;
mod progress;
mod records;
mod report;
pub mod rolling;
mod rolls;
mod selector;
pub mod settings;
pub mod slots;
mod snapshot;

pub use figures::{AgentFigures, FleetFigures};
pub(crate) use order::AT_CREDIBLE;
pub use order::{Order, OrderState, in_seconds, next_at, now_micros, register};
pub use paths::Paths;
pub use progress::RollProgress;
pub use records::{
    Alive, AuditLine, GateRecord, HostRecord, Record, RecordError, Report, Slot, VALUE_MAX,
    Version, WaivedOrder, is_host_name,
};
pub use rolls::{RollId, RollLock, RollRecord, RollResult, RollState};
pub use selector::{HOST_TAG, Relation, Selector, SelectorError, is_tag};
pub use snapshot::Snapshot;
