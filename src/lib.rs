//! hacheck: a health-check proxy and an operator's switch.
//!
//! # The map
//! - [`cli`]: the commands; the table of their names.
//! - [`config`]: the settings, typed, with every fault reported at once.
//! - [`spool`]: downtimes in files; the gate that the daemon asks first.
//! - [`probe`]: one check of one target; the table of protocols.
//! - [`group`]: a named set of checks. [`watch`]: asks a group unasked, and acts when its state changes.
//! - [`process`]: one program, run to its end or killed with its group.
//! - [`cache`]: results that still count, and sharing of running probes.
//! - [`check`]: the policy on one screen: spool, then cache, then probe.
//! - [`stats`]: who asked for what lately, and what was answered. [`ledger`]: the balancers that poll, and what they see.
//! - [`daemon`]: routes, targets, answers, metrics, and the life of the process.
//! - [`http`]: the listener for pollers and the one request of a probe.
//! - [`logging`]: the log and its file. [`sys`]: what the operating system knows. [`capacity`]: how much there is room for. [`systemd`]: what its service manager does. [`orphans`]: life as process 1.
//! - [`hashed`]: keys that are hashed once. [`nearest`]: "did you mean". [`cause`]: errors of the system in words.
//!
//! # The story of one request
//! 1. [`http::listen`] accepts the connection and hands request and peer to the daemon's handler.
//! 2. `daemon::route` turns method and path into a route, or 404, or 405.
//! 3. `daemon::prepared` puts together who asks for what: `daemon::target` applies the headers of HAProxy and nerve,
//!    `daemon::entries` names the spool entries to ask, `check::Lookup` has the keys of the result.
//! 4. [`check::Checker`] asks the spool: `all`, the service, the instance. Down is answered at once, never cached.
//! 5. Else the cache has a result, or a running probe to join, or a new one is started in a task of its own, so that a
//!    poller that hangs up does not cancel it.
//! 6. [`probe::run`] sets the one deadline; the outcome is recorded in [`stats`] and answered.
//!
//! # Threads
//! Each of the `-n` threads has a tokio runtime of its own (the current-thread one: nothing is stolen, a request stays
//! where it was accepted; a bare server answers a tenth more by two of these than by one for two threads) and accepts from the same sockets; cache, statistics and books are shared under locks that are
//! held for some hundred instructions. One thread answers about twenty thousand new connections a second; a second one
//! helps only where the machine has cores to spare (`benches/RESULTS.md`).
//!
//! Arrows never turn back: `probe` knows nothing of spool, cache or daemon; `spool` nothing of HTTP.

pub mod capacity;
pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod group;
pub mod hashed;
pub mod http;
pub mod ledger;
pub mod names;
pub mod net;
pub mod os;
pub mod probe;
pub mod spool;
