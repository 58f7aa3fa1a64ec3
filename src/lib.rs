//! hacheck: a health-check proxy and an operator's switch.
//!
//! # The map
//! - [`cli`]: the names of the binary, one file or folder for each command. `switch` has hadown, haup, hastatus,
//!   hashowdowned and halist; `wait` what `--wait` and haroll wait for; `top` shows the host in a terminal, by `live`; `client`
//!   asks the daemon on this host; `args` and `output` are shared; `compat` has health-checker and heartbeat; `fleet` has the
//!   commands of the fleet, and `fleet::roll` its rolls with their `lock`.
//! - [`daemon`]: the life of the process. `poll` is one poll (below), `pages` are `/metrics`, `/status`, `/overview` and
//!   their like, `spool_change` is `POST /spool` with its `tokens`, `reload` is SIGHUP.
//! - [`check`]: the result of a check: a stored one (`cache`, `key`), one of a running probe, or a new one.
//! - [`group`]: a named set of checks, run, watched, acted on.
//! - [`probe`]: one check of one target; the table of protocols is in its `mod.rs`, each protocol in a file. `run` sets the
//!   deadline, `lookup` resolves names, `allowed` refuses targets, `login` refuses logins, `slots` limits what runs at once.
//! - [`spool`]: downtimes in files. `gate` is asked first and ranks downtimes, `listing` keeps the folder's list, `read` and
//!   `replace` touch files.
//! - [`ledger`]: who polls, what each balancer sees, what changed lately (`history`).
//! - [`fleet`]: orders for all hosts, kept in etcd (`engine`). `order`, `selector`, `records`, `rolls` and `paths` are what it
//!   holds there; `agent` is the daemon's side, `held` what this host holds, `report` what it tells of itself.
//!   `rolling` says which host of a roll is next, `slots` how many may be down at once, `overview` is all of it at a glance,
//!   `settings` is fleet.yml.
//! - [`http`]: `accept`, limits of `connections`, replies (`reply`, `phrase`), the HTTP clients of probes (`client`, `h2`).
//! - [`config`]: the settings of all rooms, from one file.
//! - `settings`: from the text of a file to typed values, with every fault reported at once.
//! - [`names`]: services and instances, and "did you mean". [`net`]: hosts, networks, ports, metadata addresses.
//! - [`os`]: the log, programs, errors in words, the service manager, limits (the only unsafe code).
//!
//! # The arrows
//! Which room uses which. A test holds the code to this table, and to having no circles.
//!
//! | room | uses |
//! |---|---|
//! | `cli` | everything |
//! | `daemon` | check, config, fleet, group, http, ledger, names, net, os, probe, spool |
//! | `config` | check, group, http, ledger, net, os, probe, settings |
//! | `check` | group, net, probe, settings |
//! | `group` | names, net, os, probe, settings, spool |
//! | `ledger` | names, net, probe, settings, spool |
//! | `probe` | http, names, net, os, settings |
//! | `http` | names, os, settings |
//! | `fleet` | http, names, net, os, settings, spool |
//! | `spool` | names, os |
//! | `settings` | names, net, os |
//! | `names`, `net`, `os` | |
//!
//! # The story of one poll
//! All of it is in `daemon::poll`, but for what the rooms below it do.
//! 1. [`http`] accepts the connection and hands each request to `daemon::handler`. `poll::route` turns method and path
//!    into a check, a page, or 404 or 405.
//! 2. `poll::headers` reads what the balancer says of itself, `poll::target` names host, port and request to check. That
//!    makes one `Poll`. Each face makes one: HTTP, the agent, gRPC, a group's own listener, `hacheck probe`.
//! 3. `poll::note` notes in the [`ledger`] who asks for what, and learns whether the poller is established: whether it asks
//!    the same at a steady pace. That decides which places its check may take, and whose probe it may join.
//! 4. `poll::decide` asks the spool first: `all`, the service, the instance ([`spool::Gate::closed`] ranks their
//!    downtimes). A downtime is answered at once and never cached.
//! 5. Else it asks [`check::Checker`]: a stored result ([`check::key`] says what belongs together), a running probe to
//!    join, or a new one in a task of its own, so that a poller that hangs up does not cancel it.
//! 6. [`probe::run`] sets the one deadline. What it finds is an [`Outcome`](probe::Outcome), passing or not.
//! 7. `poll::answer` renders the `Verdict` for HTTP, `daemon::agent` and `daemon::groups` for theirs; `poll::note` notes
//!    it in ledger, counters and log.
//!
//! # Threads
//! Each of the `-n` threads has a tokio runtime of its own (the current-thread one: a request stays where it was accepted)
//! and accepts from the same sockets; cache, ledger and the table of connections are shared under locks that are held for
//! some hundred instructions, and never while something is waited for. One thread answers about twenty thousand new
//! connections a second; a second one helps only where the machine has cores to spare (`benches/RESULTS.md`).

pub mod check;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod fleet;
pub mod group;
pub mod http;
pub mod ledger;
pub mod names;
pub mod net;
pub mod os;
pub mod probe;
pub(crate) mod settings;
pub mod spool;
