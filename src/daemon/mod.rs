//! The daemon: its start, its threads, its signals, its end.
//!
//! Each thread runs a tokio runtime of its own and accepts from the same sockets; cache, counts and connections are
//! shared, so `-n` changes nothing but the number of cores used.

mod agent;
mod counters;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod groups;
mod handler;
pub mod once;
mod pages;
mod poll;
mod room;
mod sockets;
mod spool_change;
mod state;
mod tokens;
mod watchdog;

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind};
use tokio::sync::watch;

use crate::config::{self, Config};
use crate::http::accept;
use crate::net::LocalAddresses;
use crate::os::cause::cause_text;
use crate::os::signals::{self, SignalError};
use crate::os::systemd::{self, PassedSocket};
use crate::os::{files, logging, orphans};
use crate::spool::{self, Gate, Spool};
use agent::Agents;
use groups::GroupTasks;
pub(crate) use room::{check_context, connections};
use sockets::Listeners;
use state::{DaemonState, Live};
use tokens::Tokens;
use watchdog::Watchdog;

/// How often this host's own name is looked up again.
const OWN_NAME_EVERY: Duration = Duration::from_secs(60);

/// What `systemctl status` shows of a daemon that is well.
const SERVING: &str = "answering checks";

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

/// Runs the daemon until a signal ends it.
///
/// # Errors
/// A sentence that says why it cannot start.
pub fn run(options: &Options) -> Result<(), String> {
    let passed = systemd::passed_sockets().map_err(|e| e.to_string())?;
    let config = load(options)?;
    if let Some(limit) = config.daemon.rlimit_nofile {
        files::set_file_limit(limit).map_err(|e| e.to_string())?;
    }
    logging::set_rate(config.log.log_rate);
    logging::start(
        &config.log.log_path,
        config.log.log_format,
        level(options, &config),
    )
    .map_err(|e| e.to_string())?;
    if let Some(kind) = spool::network_file_system(&options.spool_root) {
        log::warn!(
            "the spool folder {} is on a network file system ({kind}), which is not supported: downtimes may be seen \
             late, and checks hang with the network; use a local folder",
            options.spool_root.display()
        );
    }
    let gate = Gate::open(Spool::at(&options.spool_root)).map_err(|e| e.to_string())?;
    let own = own_addresses();
    let tokens = Tokens::load(&config.daemon.remote_spool_tokens)?;
    let live = Live::new(config, tokens, &own)?;
    let state = Arc::new(DaemonState::new(gate, live));
    let main = runtime()?;
    let ended = main.block_on(serve(options, passed, &state));
    // Name look-ups may hang in threads of the runtime: they must not hold up the end.
    main.shutdown_background();
    logging::flush();
    ended
}

fn load(options: &Options) -> Result<Config, String> {
    let Some(file) = &options.config_file else {
        return Ok(Config::default());
    };
    let loaded = config::load(file).map_err(|faults| faults.to_string())?;
    for warning in &loaded.warnings {
        // The log is not open yet. Where standard error is closed, the warning must not stop the start.
        let _ = writeln!(io::stderr(), "hacheck: warning: {warning}");
    }
    Ok(loaded.config)
}

fn level(options: &Options, config: &Config) -> log::LevelFilter {
    if options.verbose {
        config.log.log_level.max(log::LevelFilter::Debug)
    } else {
        config.log.log_level
    }
}

/// Learns this host's addresses, and goes on learning its own name in a thread that may hang without harm.
fn own_addresses() -> Arc<LocalAddresses> {
    let own = Arc::new(LocalAddresses::default());
    let (known, wait) = std::sync::mpsc::sync_channel(1);
    let learning = Arc::clone(&own);
    let thread = std::thread::Builder::new()
        .name("own-name".into())
        .spawn(move || {
            loop {
                learning.look_up_own_name();
                let _ = known.try_send(());
                std::thread::sleep(OWN_NAME_EVERY);
            }
        });
    if let Err(e) = thread {
        log::warn!(
            "cannot start the thread that looks up this host's own name: {}",
            cause_text(e)
        );
    }
    // With /etc/hosts this takes no time; a name server that hangs must not hold up the start.
    let _ = wait.recv_timeout(Duration::from_millis(500));
    own
}

/// A runtime on this thread.
///
/// # Errors
/// A sentence, when the kernel gives no means for one.
pub(crate) fn runtime() -> Result<Runtime, String> {
    let built = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    built.map_err(|e| format!("cannot start the runtime: {}", cause_text(e)))
}

async fn serve(
    options: &Options,
    passed: Vec<PassedSocket>,
    state: &Arc<DaemonState>,
) -> Result<(), String> {
    let mut signals = Signals::listen().map_err(|e| e.to_string())?;
    if orphans::are_ours() {
        tokio::spawn(orphans::reap());
    }
    let sockets = sockets::open(passed, options, &state.live().config)?;
    // Before the first answer, so that whoever got one finds all listeners there.
    let mut groups = GroupTasks::start(state, sockets.addresses())?;
    let dog = Watchdog::new(systemd::watchdog(), options.threads - 1);
    let (stop, stopped) = watch::channel(false);
    // Answers to agent-checks are so short that the main thread serves them all.
    for socket in sockets.agent {
        let agents = TcpListener::from_std(socket)
            .map_err(|e| format!("cannot use the agent's socket: {}", cause_text(e)))?;
        let connections = Arc::clone(&state.connections);
        let service = Agents(Arc::clone(state));
        tokio::spawn(accept::run(agents, connections, service, stopped.clone()));
    }
    let mut threads = Vec::new();
    for number in 1..options.threads {
        let sockets = sockets
            .http
            .share()
            .map_err(|e| format!("cannot share the sockets: {}", cause_text(e)))?;
        threads.push(worker(
            number,
            sockets,
            Arc::clone(state),
            stopped.clone(),
            dog.clone(),
        )?);
    }
    // The name in the file system goes at the end of this function.
    let _name = sockets
        .http
        .accept_all(state, &stopped)
        .map_err(|e| format!("cannot use the sockets: {}", cause_text(e)))?;
    if let Some(dog) = dog {
        tokio::spawn(dog.report());
    }
    systemd::ready(SERVING);
    while signals.next().await == Event::Reload {
        systemd::reloading();
        tokio::select! {
            changed = reload(options, state) => {
                if changed {
                    groups.reload();
                }
            }
            () = signals.stop() => break,
        }
        systemd::ready(SERVING);
    }
    log::info!("stopping");
    systemd::stopping();
    // The receivers live as long as the threads.
    let _ = stop.send(true);
    groups.stop();
    let limit = state.live().config.daemon.shutdown_timeout;
    if tokio::time::timeout(limit, state.connections.drained())
        .await
        .is_err()
    {
        log::warn!(
            "{} connections were still open after {limit:?}",
            state.connections.count()
        );
    }
    Ok(())
}

/// A further thread that serves until `stopped` and its connections are drained.
fn worker(
    number: usize,
    sockets: Listeners,
    state: Arc<DaemonState>,
    mut stopped: watch::Receiver<bool>,
    dog: Option<Watchdog>,
) -> Result<std::thread::JoinHandle<()>, String> {
    let runtime = runtime()?;
    let work = move || {
        runtime.block_on(async {
            if let Some(dog) = dog {
                tokio::spawn(dog.beat(number - 1));
            }
            if let Err(e) = sockets.accept_all(&state, &stopped) {
                log::error!("thread {number} cannot use the sockets: {}", cause_text(e));
            }
            let _ = stopped.wait_for(|stop| *stop).await;
            state.connections.drained().await;
        });
        runtime.shutdown_background();
    };
    let named = std::thread::Builder::new().name(format!("serve-{number}"));
    named
        .spawn(work)
        .map_err(|e| format!("cannot start thread {number}: {}", cause_text(e)))
}

/// Reads the configuration anew; a bad one changes nothing. Gives whether there is a new one.
///
/// What is read lies on disks that may hang, so a thread that serves nobody reads it.
async fn reload(options: &Options, state: &Arc<DaemonState>) -> bool {
    let Some(file) = options.config_file.clone() else {
        log::info!("SIGHUP: there is no configuration file to read");
        return false;
    };
    let (options, reading) = (options.clone(), Arc::clone(state));
    let read = tokio::task::spawn_blocking(move || read_again(&file, &options, &reading));
    let changed = read.await.unwrap_or(false);
    state.counters.reloaded(changed);
    changed
}

fn read_again(file: &Path, options: &Options, state: &DaemonState) -> bool {
    let loaded = match config::reload(file) {
        Ok(loaded) => loaded,
        Err(faults) => {
            log::error!("SIGHUP: the configuration stays as it was: {faults}");
            return false;
        }
    };
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    let old = state.live();
    let restart = config::needs_restart(&old.config, &loaded.config);
    let tokens = Tokens::reload(&loaded.config.daemon.remote_spool_tokens);
    let new = Live::new(loaded.config, tokens, &old.own).and_then(|new| {
        let path = &new.config.log.log_path;
        if *path != old.config.log.log_path {
            logging::redirect(path).map_err(|e| e.to_string())?;
            Ok(new)
        } else {
            Ok(new)
        }
    });
    let new = match new {
        Ok(new) => new,
        Err(e) => {
            log::error!("SIGHUP: the configuration stays as it was: {e}");
            return false;
        }
    };
    for key in restart {
        log::warn!("SIGHUP: {key} has changed; it takes effect at the next restart");
    }
    logging::set_level(level(options, &new.config));
    logging::set_rate(new.config.log.log_rate);
    logging::set_format(new.config.log.log_format);
    state.set_live(new);
    log::info!("SIGHUP: configuration read from {}", file.display());
    true
}

#[derive(PartialEq)]
enum Event {
    Reload,
    Stop,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

impl Signals {
    fn listen() -> Result<Self, SignalError> {
        Ok(Self {
            hangup: signals::listen(SignalKind::hangup())?,
            terminate: signals::listen(SignalKind::terminate())?,
            interrupt: signals::listen(SignalKind::interrupt())?,
            quit: signals::listen(SignalKind::quit())?,
        })
    }

    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.hangup.recv() => Event::Reload,
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.quit.recv() => Event::Stop,
        }
    }

    /// Waits for one that ends the daemon. A SIGHUP that comes meanwhile is kept for [`Signals::next`].
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}
