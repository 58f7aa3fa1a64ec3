//! `heartbeat`, in place of the tool of that name: checks services every so often, and runs a
//! promotion when all of them are healthy and a demotion when one is not.
//!
//! Rule: this is a translation of its file into one watch. Privileges are dropped before anything
//! is checked, and before there is a second thread.

mod ini;
mod log;
mod pidfile;
mod runner;
mod settings;

use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use ::log::LevelFilter;
use argh::{ArgsInfo, FromArgs};

use self::ini::IniFault;
use self::pidfile::PidFile;
use self::runner::HeartbeatRunner;
use self::settings::HeartbeatSettings;
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::{Failure, failed, usage};
use crate::config::Config;
use crate::daemon;
use crate::group::watch::{self, Means, Watch};
use crate::group::{Group, GroupStates};
use crate::net::LocalAddresses;
use crate::os::background::go_into_background;
use crate::os::cause::cause_text;
use crate::os::orphans;
use crate::os::process::all_names;
use crate::os::signals::StopSignals;
use crate::os::users::Identity;

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "heartbeat",
    alias: Some("heartbeat"),
    usage: "[options]",
    about: "check services; run promotions and demotions when their state changes",
    info: HeartbeatArgs::get_args_info,
    uses: |_| true,
    run,
};

/// The file that byrondover's heartbeat reads.
const DEFAULT_FILE: &str = "/usr/local/etc/wiredrive/heartbeat.conf";

/// The name of the one group.
const GROUP: &str = "heartbeat";

/// Most bytes of a file.
const FILE_MAX: u64 = 1 << 20;

/// The command line.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "heartbeat -c /etc/heartbeat.conf",
    example = "heartbeat -d -c /etc/heartbeat.conf"
)]
struct HeartbeatArgs {
    /// INI file (default /usr/local/etc/wiredrive/heartbeat.conf)
    #[argh(option, short = 'c', arg_name = "file")]
    config: Option<String>,
    /// run in the background; without it, check once: exit code 0 if all is healthy, else 1
    #[argh(switch, short = 'd')]
    daemonize: bool,
    /// none
    #[argh(positional)]
    stray: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: HeartbeatArgs = call.parse()?;
    if let Some(stray) = args.stray.first() {
        return Err(usage!("unexpected argument {stray:?}; see --help"));
    }

    let file = args.config.as_deref().unwrap_or(DEFAULT_FILE);
    let settings = read(file)?;
    for warning in &settings.warnings {
        call.note(&in_file(file, warning));
    }

    let background = args.daemonize || settings.daemonize;
    let is_healthy = settle_and_watch(call, settings, background)?;
    Ok(u8::from(!is_healthy))
}

fn settle_and_watch(
    call: &Call,
    settings: HeartbeatSettings,
    background: bool,
) -> Result<bool, Failure> {
    let level = level(call, &settings.log_level);
    let (runner, notes) = HeartbeatRunner::new(&settings)?;
    for note in &notes {
        call.note(note);
    }

    let pid_file = settle(&settings, level, background)?;
    let is_healthy = watch(settings, runner, background);
    drop(pid_file);
    if let Err(failure) = &is_healthy {
        // In the background there is nobody to tell; the log has it.
        ::log::error!("{failure}");
    }

    is_healthy
}

fn read(file: &str) -> Result<HeartbeatSettings, Failure> {
    let text = text(file)?;
    match settings::read(&text) {
        Ok(settings) => Ok(settings),
        Err(faults) => {
            let lines: Vec<String> = faults.iter().map(|fault| in_file(file, fault)).collect();
            Err(Failure::failed(lines.join("\n")))
        }
    }
}

fn text(file: &str) -> Result<String, Failure> {
    let attributes = fs::metadata(file).map_err(|e| unreadable(file, e))?;
    // Before it is opened: to open a FIFO would wait for a writer.
    if !attributes.is_file() || attributes.len() > FILE_MAX {
        return Err(unreadable(file, "it is not a file of at most 1 MiB"));
    }

    let bytes = fs::read(file).map_err(|e| unreadable(file, e))?;
    // Comments may be in any encoding; what counts is looked at where it is used.
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn unreadable(file: &str, e: impl Display) -> Failure {
    failed!(
        "cannot read {file}: {}; give the configuration file with -c",
        cause_text(e)
    )
}

fn in_file(file: &str, fault: &IniFault) -> String {
    format!("{file}:{}: {}", fault.line, fault.text)
}

fn level(call: &Call, word: &str) -> LevelFilter {
    match log::level(word) {
        Some(level) => level,
        None => {
            call.note(&format!(
                "loglevel '{word}' is not DEBUG, INFO, WARNING, ERROR or CRITICAL; using INFO"
            ));
            LevelFilter::Info
        }
    }
}

/// Takes the lock, becomes the user, opens the log, goes into the background: in this order, so
/// that whoever started it learns what is in the way, and the log belongs to the user.
fn settle(
    settings: &HeartbeatSettings,
    level: LevelFilter,
    background: bool,
) -> Result<PidFile, Failure> {
    let (user, group) = (settings.user.as_deref(), settings.group.as_deref());
    // Before anything is made: a user that there is not leaves nothing behind.
    let identity = Identity::find(user, group).map_err(Failure::failed)?;
    // The background process keeps the folder, as it does in byrondover's heartbeat.
    let here = current_folder()?;
    let owner = identity.as_ref().map(Identity::uid);
    let mut pid_file = PidFile::take(&here.join(&settings.pid_file), owner)?;
    if let Some(identity) = &identity {
        take_on(identity, &pid_file)?;
    }

    log::start(&here.join(&settings.log_file), level)?;
    if background {
        detach()?;
    }

    // Only now, as going into the background changes the number of the process.
    pid_file.write()?;
    log_start(settings, background);
    Ok(pid_file)
}

fn detach() -> Result<(), Failure> {
    let done = go_into_background();
    done.map_err(|e| failed!("cannot go into the background: {}", cause_text(e)))
}

/// Becomes another user, who will also have to remove the lock.
fn take_on(identity: &Identity, pid_file: &PidFile) -> Result<(), Failure> {
    pid_file.give_to(identity.uid(), identity.gid());
    identity.assume().map_err(Failure::failed)
}

fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir()
        .map_err(|e| failed!("cannot find the current folder: {}", cause_text(e)))
}

fn log_start(settings: &HeartbeatSettings, background: bool) {
    let mode = if background { "Daemon" } else { "Run Once" };
    ::log::info!("Heartbeat started ({}). Mode: {mode}.", std::process::id());
    ::log::info!("Log level: {}.", settings.log_level.to_uppercase());
}

/// Checks once, or until a signal ends it; whether all was healthy.
fn watch(
    settings: HeartbeatSettings,
    runner: HeartbeatRunner,
    background: bool,
) -> Result<bool, Failure> {
    let mut group = settings.watch;
    if !background {
        // One result is all there is.
        group.rise = 1;
        group.fall = 1;
    }

    let means = means(&group, runner)?;
    // Begun after the process went into the background: threads do not survive that.
    let runtime = daemon::runtime().map_err(Failure::failed)?;
    let is_healthy = runtime.block_on(async {
        if background {
            watch_forever(means).await?;
            Ok(true)
        } else {
            Ok(watch_once(&group, means).await)
        }
    });
    runtime.shutdown_background();
    is_healthy
}

fn means(group: &Group, runner: HeartbeatRunner) -> Result<Arc<Means>, Failure> {
    let mut config = Config::default();
    config.groups.insert(GROUP.into(), group.clone());
    // As byrondover's heartbeat runs them.
    config.probe.exec_environment = all_names();
    let own = Arc::new(LocalAddresses::default());
    let context = daemon::check_context(&config, own, daemon::memory(&config));
    let context = Arc::new(context.map_err(Failure::failed)?);
    Ok(Arc::new(Means {
        runner: Arc::new(runner),
        context: Box::new(move || Arc::clone(&context)),
        states: Arc::new(GroupStates::default()),
        spool: None,
    }))
}

async fn watch_once(group: &Group, means: Arc<Means>) -> bool {
    let mut watch = Watch::new(GROUP.into(), means);
    let is_healthy = watch.check(group).await;
    // The promotion or demotion that this check began.
    watch.settled(group).await;
    ::log::info!("One-time run-through complete. Goodbye.");
    is_healthy
}

async fn watch_forever(means: Arc<Means>) -> Result<(), Failure> {
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    if orphans::are_ours() {
        tokio::spawn(orphans::reap());
    }

    // The sender is kept to the end: without one the watch would end.
    let (_reload, never) = tokio::sync::watch::channel(());
    tokio::select! {
        () = watch::run(GROUP.into(), means, never) => {}
        () = signals.any() => {}
    }

    ::log::info!("Heartbeat stopped.");
    Ok(())
}

/// The door for fuzz/: what a file's text says, or the lines of its faults.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzzed(text: &str) -> Result<String, Vec<usize>> {
    match settings::read(text) {
        Ok(settings) => Ok(format!("{settings:?}")),
        Err(faults) => Err(faults.iter().map(|fault| fault.line).collect()),
    }
}
