//! The daemon: its start, its threads, its signals, its end.
//!
//! Each thread runs a tokio runtime of its own and accepts from the same sockets; cache, counts and connections are
//! shared, so `-n` changes nothing but the number of cores used.

mod agent;
mod allow_from;
mod counters;
mod cross_site;
mod error;
mod event_log;
mod fleet;
mod fleet_agent;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod groups;
mod grpc;
mod handler;
mod host_watch;
mod interval_notes;
mod memory_watch;
pub mod once;
mod own_name;
mod pages;
mod poll;
mod port_watch;
mod reload;
pub(crate) mod reload_report;
mod room;
mod shared_pages;
mod signals;
mod sockets;
mod spool_change;
mod spool_watch;
mod state;
mod this_host;
mod threads;
mod tokens;
mod watchdog;

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use log::LevelFilter;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::config::{self, Config, Fault, Loaded};
use crate::http::{accept, unix};
use crate::names::text::first_line;
use crate::os::systemd::{self, PassedSocket};
use crate::os::{access, file_limit, logging, orphans, sys, times};
use crate::spool::{self, Gate, Spool};
use agent::Agents;
use error::SetupError;
pub use error::StartError;
use fleet::Fleet;
use groups::GroupTasks;
use port_watch::PortWatch;
use reload::Reloaded;
use reload_report::ReportFile;
pub(crate) use room::{check_context, connections, memory};
use signals::{Event, Signals};
use sockets::{Listeners, Sockets};
use state::{DaemonState, Live};
pub(crate) use threads::runtime;
use tokens::Tokens;
use watchdog::Watchdog;

/// What `systemctl status` shows of a daemon that is well.
const SERVING: &str = "answering checks";

/// Most characters of a fault that it shows.
const STATUS_MAX: usize = 200;

/// How the daemon is started: the command line, parsed.
#[derive(Debug, Clone)]
pub struct Options {
    /// The YAML file, if any.
    pub config_file: Option<PathBuf>,
    /// The ports to listen on.
    pub ports: Vec<u16>,
    /// Ports for HAProxy's agent-check; those of the configuration when empty.
    pub agent_ports: Vec<u16>,
    /// The address to listen on.
    pub bind_address: IpAddr,
    /// Threads that serve requests; they share cache and counts.
    pub threads: usize,
    /// The spool folder.
    pub spool_root: PathBuf,
    /// Log each request.
    pub verbose: bool,
}

impl Options {
    /// The level of the log.
    fn level(&self, config: &Config) -> LevelFilter {
        if self.verbose {
            config.log.log_level.max(LevelFilter::Debug)
        } else {
            config.log.log_level
        }
    }
}

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// Why it cannot start.
pub fn run(options: &Options) -> Result<(), StartError> {
    // While there is one thread, as it asks for that.
    sys::set_up_allocator();
    // Before anything else is opened.
    let passed = systemd::passed_sockets().map_err(StartError::Passed)?;
    let Loaded { config, notes, .. } = load(options)?;
    // Before the state, which takes its own limits from this one.
    if let Some(limit) = config.daemon.rlimit_nofile {
        file_limit::set_file_limit(limit).map_err(StartError::FileLimit)?;
    }

    start_log(options, &config).map_err(StartError::Setup)?;
    for note in notes {
        log::info!("{note}");
    }

    let state = Arc::new(state(options, config)?);
    serve_until_stopped(options, passed, &state)
}

fn serve_until_stopped(
    options: &Options,
    passed: Vec<PassedSocket>,
    state: &Arc<DaemonState>,
) -> Result<(), StartError> {
    memory_watch::start(state);
    fleet_agent::start(state);
    let main = runtime()?;
    let ended = main.block_on(serve(options, passed, state));
    // Name look-ups may hang in threads of the runtime: they must not hold up the end.
    main.shutdown_background();
    // Last, as everything before it may still log.
    logging::flush();
    ended
}

fn load(options: &Options) -> Result<Loaded, StartError> {
    let Some(file) = &options.config_file else {
        return Ok(Loaded::default());
    };

    let loaded = config::load(file).map_err(StartError::Config)?;
    for warning in &loaded.warnings {
        warn(warning);
    }

    Ok(loaded)
}

fn warn(warning: &Fault) {
    // The log is not open yet: the configuration says where it is. Where standard error is closed, the warning must not
    // stop the start.
    let _ = writeln!(io::stderr(), "hacheck: warning: {warning}");
}

fn start_log(options: &Options, config: &Config) -> Result<(), SetupError> {
    let settings = &config.log;
    logging::set_rate(settings.log_rate);
    let level = options.level(config);
    logging::start(&settings.log_path, settings.log_format, level).map_err(SetupError::Log)
}

/// Opens the spool, and puts the configuration to use.
fn state(options: &Options, config: Config) -> Result<DaemonState, StartError> {
    warn_of_network_file_system(&options.spool_root);
    let mut gate = Gate::open(Spool::at(&options.spool_root)).map_err(StartError::Spool)?;
    tell_of_ended_files(&options.spool_root);
    let fleet = Fleet::open(&config)?;
    if let Some(fleet) = &fleet {
        gate = gate.with_fleet(Arc::clone(&fleet.gate));
    }

    let tokens = Tokens::load(&config.daemon.remote_spool_tokens).map_err(StartError::Tokens)?;
    let memory = room::memory(&config);
    let live = Live::new(config, tokens, &own_name::learn(), &memory);
    let live = live.map_err(StartError::Setup)?;
    let mut state = DaemonState::new(gate, live, memory);
    state.fleet = fleet;
    Ok(state)
}

fn warn_of_network_file_system(folder: &Path) {
    if let Some(kind) = spool::network_file_system(folder) {
        let folder = folder.display();
        log::warn!(
            "the spool folder {folder} is on a network file system ({kind}), which is not supported: downtimes may be seen \
             late, and checks hang with the network; use a local folder"
        );
    }
}

/// Somebody may go by the files alone, as a web server does that looks whether one is there.
fn tell_of_ended_files(folder: &Path) {
    if let Some(cause) = access::no_place(&folder.join("entry")) {
        let folder = folder.display();
        log::info!(
            "cannot remove files in the spool folder {folder} ({cause}): a downtime that has ended counts as up, but its file \
             stays until a command of a user who may removes it"
        );
    }
}

/// Serves until a signal says to stop, and then until the connections are drained.
async fn serve(
    options: &Options,
    passed: Vec<PassedSocket>,
    state: &Arc<DaemonState>,
) -> Result<(), StartError> {
    // First, so that a SIGTERM during the start ends the daemon in order, too.
    let mut signals = Signals::listen().map_err(StartError::Signals)?;
    if orphans::are_ours() {
        tokio::spawn(orphans::reap());
    }

    let sockets = sockets::open(passed, options, &state.live().config)?;
    host_watch::start(state, PortWatch::new(&sockets.listening()));
    note_own(&sockets, state);
    // Before the first answer, so that whoever got one finds all listeners there.
    let mut groups = GroupTasks::start(state, sockets.addresses()).map_err(StartError::Group)?;
    let (stop, stopped) = watch::channel(false);
    // The name in the file system goes at the end of this function.
    let _name = accept_everywhere(options, sockets, state, &stopped)?;
    // Before anybody is told that it may be asked to reload.
    let report = ReportFile::open();
    // Units that are ordered after this one may start now: connections are taken.
    systemd::ready(SERVING);
    reload_until_stopped(options, state, &mut signals, &mut groups, report).await;
    log::info!("stopping");
    systemd::stopping();
    // The receivers live as long as the threads.
    let _ = stop.send(true);
    groups.stop();
    drain(state).await;
    Ok(())
}

async fn reload_until_stopped(
    options: &Options,
    state: &Arc<DaemonState>,
    signals: &mut Signals,
    groups: &mut GroupTasks,
    mut report: ReportFile,
) {
    while signals.next().await == Event::Reload {
        systemd::reloading();
        report.begins();
        // Reading may hang with a disk, and the daemon must end all the same.
        let mut reloaded = tokio::select! {
            reloaded = reload::reload(options, state) => reloaded,
            () = signals.stop() => return,
        };
        if reloaded.is_new {
            for fault in groups.reload() {
                reloaded.add_fault(fault.to_string());
            }
        }
        systemd::ready(&status(&reloaded));
        report.ends(reloaded);
    }
}

/// What `systemctl status` shows after a reload.
fn status(reloaded: &Reloaded) -> String {
    match reloaded.faults.first() {
        None => SERVING.to_owned(),
        Some(fault) => {
            let fault = first_line(fault, STATUS_MAX);
            let at = times::brief(spool::unix_now());
            format!("{SERVING}; the reload at {at} failed: {fault}")
        }
    }
}

/// Starts accepting on all threads, this one too. Gives the name of the unix socket, to be kept until the end.
/// Tells the rooms that have to know them where this daemon itself listens.
fn note_own(sockets: &Sockets, state: &DaemonState) {
    // Or strangers could have the daemon check itself.
    if let Some(path) = sockets.http.unix_path() {
        state.live().own.listeners.set_unix(path);
    }

    if let Some(fleet) = &state.fleet {
        fleet.answers_at(&sockets.addresses());
    }
}

fn accept_everywhere(
    options: &Options,
    sockets: Sockets,
    state: &Arc<DaemonState>,
    stopped: &watch::Receiver<bool>,
) -> Result<Option<unix::Name>, StartError> {
    // Answers to agent-checks are so short that the main thread serves them all.
    for socket in sockets.agent {
        accept_agents(socket, state, stopped)?;
    }

    start_threads(options.threads, &sockets.http, state, stopped)?;
    let name = sockets.http.accept_all(state, stopped);
    name.map_err(|e| StartError::Socket("use the sockets".into(), e))
}

/// Starts the threads besides this one, and the watchdog over all.
fn start_threads(
    threads: usize,
    sockets: &Listeners,
    state: &Arc<DaemonState>,
    stopped: &watch::Receiver<bool>,
) -> Result<(), StartError> {
    // Without a flag for this thread, which reports.
    let dog = Watchdog::new(systemd::watchdog(), threads - 1);
    for number in 1..threads {
        let sockets = sockets.share();
        let sockets = sockets.map_err(|e| StartError::Socket("share the sockets".into(), e))?;
        let (state, stopped) = (Arc::clone(state), stopped.clone());
        threads::start(number, sockets, state, stopped, dog.clone())?;
    }

    if let Some(dog) = dog {
        tokio::spawn(dog.report());
    }

    Ok(())
}

fn accept_agents(
    socket: std::net::TcpListener,
    state: &Arc<DaemonState>,
    stopped: &watch::Receiver<bool>,
) -> Result<(), StartError> {
    let listener = TcpListener::from_std(socket);
    let listener = listener.map_err(|e| StartError::Socket("use the agent's socket".into(), e))?;
    let connections = Arc::clone(&state.connections);
    let service = Agents(Arc::clone(state));
    tokio::spawn(accept::run(listener, connections, service, stopped.clone()));
    Ok(())
}

/// Waits for the connections to end, but not for ever.
async fn drain(state: &DaemonState) {
    let limit = state.live().config.daemon.shutdown_timeout;
    let drained = tokio::time::timeout(limit, state.connections.drained()).await;
    // No error: the daemon must end in time, or the service manager kills it.
    if drained.is_err() {
        let open = state.connections.count();
        log::warn!("{open} connections were still open after {limit:?}");
    }
}
