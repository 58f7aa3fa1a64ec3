//! Reading the configuration again.
//!
//! Rule: a bad one changes nothing.

use std::path::Path;
use std::sync::Arc;

use super::Options;
use super::error::SetupError;
use super::state::{DaemonState, Live};
use super::tokens::Tokens;
use crate::config::{self, Config, Loaded};
use crate::http::memory::MemoryBudget;
use crate::os::logging;

/// Reads the configuration again and puts it to use. Gives whether there is a new one.
///
/// What is read lies on disks that may hang, so a thread that serves nobody reads it.
pub(super) async fn reload(options: &Options, state: &Arc<DaemonState>) -> bool {
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
    let Some(loaded) = load(file) else {
        return false;
    };
    let old = state.live();
    let restart = config::needs_restart(&old.config, &loaded.config);
    let new = match set_up(loaded.config, &old, &state.memory) {
        Ok(new) => new,
        Err(e) => {
            log::error!("SIGHUP: the configuration stays as it was: {e}");
            return false;
        }
    };
    for key in restart {
        log::warn!("SIGHUP: {key} has changed; it takes effect at the next restart");
    }
    set_log(options, &new.config);
    state.set_live(new);
    log::info!("SIGHUP: configuration read from {}", file.display());
    true
}

fn set_log(options: &Options, config: &Config) {
    logging::set_level(options.level(config));
    logging::set_rate(config.log.log_rate);
    logging::set_format(config.log.log_format);
}

fn load(file: &Path) -> Option<Loaded> {
    match config::reload(file) {
        Ok(loaded) => {
            log_remarks(&loaded);
            Some(loaded)
        }
        Err(faults) => {
            log::error!("SIGHUP: the configuration stays as it was: {faults}");
            None
        }
    }
}

fn log_remarks(loaded: &Loaded) {
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    for note in &loaded.notes {
        log::info!("{note}");
    }
}

fn set_up(config: Config, old: &Live, memory: &Arc<MemoryBudget>) -> Result<Live, SetupError> {
    let tokens = Tokens::reload(&config.daemon.remote_spool_tokens);
    let new = Live::new(config, tokens, &old.own, memory)?;
    let path = &new.config.log.log_path;
    // Last of what can fail, as a log that has moved would not move back.
    if *path != old.config.log.log_path {
        logging::redirect(path).map_err(SetupError::Log)?;
    }
    Ok(new)
}
