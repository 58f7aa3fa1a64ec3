//! Reading the configuration again.
//!
//! Rule: a bad one changes nothing, and what came of it is told to whoever asked for it (`reload_report`).

use std::path::Path;
use std::sync::Arc;

use super::Options;
use super::error::SetupError;
use super::state::{DaemonState, Live};
use super::tokens::Tokens;
use crate::config::{self, Config, Loaded};
use crate::http::memory::MemoryBudget;
use crate::os::logging;

/// What came of it.
#[derive(Default)]
pub(super) struct Reloaded {
    /// There is a new one, and it is in force.
    pub(super) is_new: bool,
    /// What is not as the file wants it.
    pub(super) faults: Vec<String>,
    /// What the operator may not expect.
    pub(super) notes: Vec<String>,
}

impl Reloaded {
    /// Nothing has changed, and why.
    fn nothing(why: &impl ToString) -> Self {
        let why = why.to_string();
        log::error!("SIGHUP: the configuration stays as it was: {why}");
        Self {
            faults: vec![why],
            ..Self::default()
        }
    }

    /// Tells of a part that is not as the file wants it.
    pub(super) fn add_fault(&mut self, fault: String) {
        log::error!("SIGHUP: {fault}");
        self.faults.push(fault);
    }

    fn add_note(&mut self, note: String) {
        log::warn!("{note}");
        self.notes.push(note);
    }
}

/// Reads the configuration again and puts it to use.
///
/// What is read lies on disks that may hang, so a thread that serves nobody reads it.
pub(super) async fn reload(options: &Options, state: &Arc<DaemonState>) -> Reloaded {
    let Some(file) = options.config_file.clone() else {
        return without_file();
    };

    let (options, reading) = (options.clone(), Arc::clone(state));
    let read = tokio::task::spawn_blocking(move || read_again(&file, &options, &reading));
    let reloaded = match read.await {
        Ok(reloaded) => reloaded,
        // A reading that panicked has put nothing in force: that comes last.
        Err(e) => Reloaded::nothing(&e),
    };

    state.counters.reloaded(reloaded.is_new);
    reloaded
}

fn without_file() -> Reloaded {
    log::info!("SIGHUP: there is no configuration file to read");
    let fault = "there is no configuration file to read; start hacheck with -c FILE";
    Reloaded {
        faults: vec![fault.to_owned()],
        ..Reloaded::default()
    }
}

fn read_again(file: &Path, options: &Options, state: &DaemonState) -> Reloaded {
    let loaded = match config::reload(file) {
        Ok(loaded) => loaded,
        Err(faults) => return Reloaded::nothing(&faults),
    };

    let mut reloaded = Reloaded::default();
    take_remarks(&loaded, &mut reloaded);
    let old = state.live();
    // Now, as setting up takes the new one; told only once it is in force.
    let restart = config::needs_restart(&old.config, &loaded.config);
    let new = match set_up(loaded.config, &old, &state.memory, &mut reloaded) {
        Ok(new) => new,
        Err(e) => return Reloaded::nothing(&e),
    };

    for key in restart {
        reloaded.add_note(format!(
            "SIGHUP: {key} has changed; it takes effect at the next restart"
        ));
    }

    put_in_force(new, options, state);
    log::info!("SIGHUP: configuration read from {}", file.display());
    reloaded.is_new = true;
    reloaded
}

fn put_in_force(new: Live, options: &Options, state: &DaemonState) {
    // The command line wins over the file, also at a reload.
    set_log(options, &new.config);
    state.set_live(new);
}

fn set_log(options: &Options, config: &Config) {
    logging::set_level(options.level(config));
    logging::set_rate(config.log.log_rate);
    logging::set_format(config.log.log_format);
}

fn take_remarks(loaded: &Loaded, reloaded: &mut Reloaded) {
    for warning in &loaded.warnings {
        reloaded.add_note(warning.to_string());
    }

    for note in &loaded.notes {
        log::info!("{note}");
    }
}

fn set_up(
    config: Config,
    old: &Live,
    memory: &Arc<MemoryBudget>,
    reloaded: &mut Reloaded,
) -> Result<Live, SetupError> {
    // A token that is gone keeps nothing else from being put in force: it is revoked, which is mostly what was meant.
    let (tokens, revoked) = Tokens::reload(&config.daemon.remote_spool_tokens);
    for e in revoked {
        reloaded.add_fault(format!("{e}; no change with its token is taken any more"));
    }

    let new = Live::new(config, tokens, &old.own, memory)?;
    let path = &new.config.log.log_path;
    // Last of what can fail, as a log that has moved would not move back.
    if *path != old.config.log.log_path {
        logging::redirect(path).map_err(SetupError::Log)?;
    }

    Ok(new)
}
