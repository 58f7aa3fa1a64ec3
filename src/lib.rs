//! hacheck: a health-check proxy and an operator's switch.
//!
//! # The map
//! - [`cli`]: the names of the binary, one file or folder for each command.
//! - [`daemon`]: the life of the process: listeners, polls, pages, reload, shutdown.
//! - [`check`]: the policy on one screen: spool, then cache, then probe.
//! - [`group`]: a named set of checks, run, watched, acted on.
//! - [`probe`]: one check of one target; the table of protocols.
//! - [`spool`]: downtimes in files; the gate that is asked first.
//! - [`ledger`]: who polls, what each balancer sees, what changed lately.
//! - [`http`]: accept, limits of connections, replies, the HTTP clients of probes.
//! - [`config`]: the settings of all rooms, from one file.
//! - [`settings`]: from the text of a file to typed values, with every fault reported at once.
//! - [`names`]: services and instances, and "did you mean". [`net`]: hosts, networks, ports, metadata addresses.
//! - [`os`]: the log, programs, errors in words, the service manager, limits (the only unsafe code).
//! - [`hashed`]: keys that are hashed once.
//!
//! # The arrows
//! Which room uses which. A test holds the code to this table, and to having no circles.
//!
//! | room | uses |
//! |---|---|
//! | `cli` | everything |
//! | `daemon` | check, config, group, hashed, http, ledger, net, os, probe, spool |
//! | `config` | check, group, http, ledger, net, os, probe, settings |
//! | `check` | group, hashed, net, probe, settings, spool |
//! | `group` | names, net, os, probe, settings, spool |
//! | `ledger` | hashed, net, probe, settings, spool |
//! | `probe` | http, names, net, os, settings |
//! | `http` | os, settings |
//! | `spool` | names, os |
//! | `settings` | names, net, os |
//! | `hashed`, `names`, `net`, `os` | |
//!
//! # The story of one request
//! 1. [`http`] accepts the connection and hands request and peer to the daemon's handler.
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
//! where it was accepted; a bare server answers a tenth more by two of these than by one for two threads) and accepts from the same sockets; cache, statistics and the table of connections are shared under locks that are
//! held for some hundred instructions. One thread answers about twenty thousand new connections a second; a second one
//! helps only where the machine has cores to spare (`benches/RESULTS.md`).

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
pub mod settings;
pub mod spool;
