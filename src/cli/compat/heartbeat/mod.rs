//! `heartbeat`, in place of the tool of that name: checks services every so often, and runs a promotion when all are
//! well and a demotion when one is not.
//!
//! Rule: this is a translation of its file into one watch. Privileges are dropped before anything is checked, and before
//! there is a second thread.

mod ini;
mod log;
mod pidfile;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::log::LevelFilter;
use argh::{ArgsInfo, FromArgs};
use tokio::signal::unix::{SignalKind, signal};

use self::pidfile::PidFile;
use self::settings::Settings;
use crate::cli::applet::{Applet, Call};
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::daemon;
use crate::group::watch::{self, Means, Watch};
use crate::group::{Alone, Memory};
use crate::os::cause::cause_text;
use crate::os::orphans;
use crate::os::sys::{self, LocalAddresses};

/// The row of the table.
pub(crate) const APPLET: Applet = Applet {
    name: "heartbeat",
    alias: Some("heartbeat"),
    usage: "[options]",
    about: "checks services and runs promotions and demotions when their state changes",
    info: Args::get_args_info,
    uses: |_| true,
    run,
};

/// The original's file.
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
struct Args {
    /// the INI file (default /usr/local/etc/wiredrive/heartbeat.conf)
    #[argh(option, short = 'c', arg_name = "file")]
    config: Option<String>,
    /// go on in the background; without it everything is checked once: exit code 0 when all is well, else 1
    #[argh(switch, short = 'd')]
    daemonize: bool,
    /// none
    #[argh(positional)]
    stray: Vec<String>,
}

fn run(call: &Call) -> Result<u8, Failure> {
    let args: Args = call.parse()?;
    if let Some(stray) = args.stray.first() {
        return Err(Failure::usage(format!(
            "there are options only, not {stray:?}"
        )));
    }
    let file = args.config.unwrap_or_else(|| DEFAULT_FILE.into());
    let settings = read(&file)?;
    for warning in &settings.warnings {
        call.note(&format!("{file}:{}: {}", warning.line, warning.text));
    }
    let level = log::level(&settings.log_level).unwrap_or_else(|| {
        call.note(&format!(
            "loglevel '{}' is none of DEBUG, INFO, WARNING, ERROR, CRITICAL; INFO it is",
            settings.log_level
        ));
        LevelFilter::Info
    });
    let background = args.daemonize || settings.daemonize;
    let pid_file = settle(&settings, level, background).map_err(Failure::failed)?;
    let well = watched(settings, background);
    // What leads here from the background has nobody to tell; the log has it.
    drop(pid_file);
    match well {
        Ok(true) => Ok(0),
        Ok(false) => Ok(1),
        Err(e) => {
            ::log::error!("{e}");
            Err(Failure::failed(e))
        }
    }
}

fn read(file: &str) -> Result<Settings, Failure> {
    let unreadable = |e: &dyn std::fmt::Display| {
        Failure::failed(format!(
            "cannot read {file}: {}; give the configuration file with -c",
            cause_text(e)
        ))
    };
    let size = fs::metadata(file).map_err(|e| unreadable(&e))?;
    if !size.is_file() || size.len() > FILE_MAX {
        return Err(unreadable(&"it is no file of at most 1 MiB"));
    }
    let text = fs::read_to_string(file).map_err(|e| unreadable(&e))?;
    settings::read(&text).map_err(|faults| {
        let lines: Vec<String> = faults
            .iter()
            .map(|f| format!("{file}:{}: {}", f.line, f.text))
            .collect();
        Failure::failed(lines.join("\n"))
    })
}

/// Takes the lock, becomes the user, opens the log, goes into the background: in this order, so that whoever started it
/// learns what is in the way, and the log belongs to the user.
fn settle(settings: &Settings, level: LevelFilter, background: bool) -> Result<PidFile, String> {
    let identity = sys::Identity::find(settings.user.as_deref(), settings.group.as_deref())?;
    // The background process keeps the folder, as the original did.
    let here = std::env::current_dir()
        .map_err(|e| format!("cannot tell the current folder: {}", cause_text(e)))?;
    let path = |p: &Path| -> PathBuf { here.join(p) };
    let mut pid_file = PidFile::take(&path(&settings.pid_file))?;
    if let Some(identity) = &identity {
        pid_file.give_to(identity.uid(), identity.gid());
        identity.assume()?;
    }
    log::start(&path(&settings.log_file), level)?;
    if background {
        sys::go_into_background()?;
    }
    pid_file.write()?;
    let mode = if background { "Daemon" } else { "Run Once" };
    ::log::info!("Heartbeat started ({}). Mode: {mode}.", std::process::id());
    Ok(pid_file)
}

/// Checks once, or until a signal ends it; whether all was well.
fn watched(settings: Settings, background: bool) -> Result<bool, String> {
    let mut config = Config::default();
    let mut group = settings.watch;
    if !background {
        // One result is all there is.
        (group.rise, group.fall) = (1, 1);
    }
    config.groups.insert(GROUP.into(), group.clone());
    let context = daemon::check_context(&config, Arc::new(LocalAddresses::default()))
        .map_err(|e| e.to_string())?;
    let context = Arc::new(context);
    let source = Arc::clone(&context);
    let means = Arc::new(Means {
        ask: Arc::new(Alone),
        context: Box::new(move || Arc::clone(&source)),
        memory: Arc::new(Memory::default()),
        spool: None,
    });
    let runtime = daemon::runtime()?;
    let well = runtime.block_on(async {
        if background {
            return forever(means).await.map(|()| true);
        }
        let mut watch = Watch::new(GROUP.into(), means);
        let well = watch.check(&group).await;
        watch.settled(&group).await;
        ::log::info!("One-time run-through complete. Goodbye.");
        Ok(well)
    });
    runtime.shutdown_background();
    well
}

async fn forever(means: Arc<Means>) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("cannot listen for signals: {}", cause_text(e));
    let mut terminate = signal(SignalKind::terminate()).map_err(fail)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(fail)?;
    if orphans::are_ours() {
        tokio::spawn(orphans::reap());
    }
    let (_reload, never) = tokio::sync::watch::channel(());
    tokio::select! {
        () = watch::run(GROUP.into(), means, never) => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    ::log::info!("Heartbeat stopped.");
    Ok(())
}

/// The door for fuzz/: what a file's text says, or the lines of its faults.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzzed(text: &str) -> Result<String, Vec<usize>> {
    let settings =
        settings::read(text).map_err(|faults| faults.iter().map(|f| f.line).collect::<Vec<_>>())?;
    Ok(format!("{settings:?}"))
}
