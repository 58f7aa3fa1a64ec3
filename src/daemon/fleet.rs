//! This host in its fleet: its settings, and the fleet's spool. A host without `fleet_file` has neither.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use super::error::StartError;
use crate::config::Config;
use crate::fleet::FleetFigures;
use crate::fleet::settings::{self, FleetSettings};
use crate::spool::{Gate, Spool, SpoolError};

/// What the daemon knows of its fleet.
pub(super) struct Fleet {
    pub(super) settings: FleetSettings,
    pub(super) gate: Arc<Gate>,
    pub(super) figures: Arc<FleetFigures>,
    /// Where this daemon answers; 0 before it does.
    port: AtomicU16,
}

impl Fleet {
    /// Reads the file that the configuration names, and opens the fleet's spool.
    pub(super) fn open(config: &Config) -> Result<Option<Self>, StartError> {
        let Some(file) = &config.daemon.fleet_file else {
            return Ok(None);
        };

        let (settings, warnings) = settings::load(file).map_err(StartError::Config)?;
        for warning in warnings {
            log::warn!("{warning}");
        }

        let gate = open_gate(&settings.state_dir).map_err(StartError::Spool)?;
        Ok(Some(Self {
            settings,
            gate: Arc::new(gate),
            figures: Arc::default(),
            port: AtomicU16::new(0),
        }))
    }

    /// Notes where the daemon answers.
    pub(super) fn answers_at(&self, addresses: &[SocketAddr]) {
        if let Some(first) = addresses.first() {
            self.port.store(first.port(), Ordering::Relaxed);
        }
    }

    /// The port at which the daemon answers.
    pub(super) fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }
}

/// The fleet's spool of a configuration, for one look.
pub(super) fn spool(config: &Config) -> Result<Option<Spool>, StartError> {
    let Some(file) = &config.daemon.fleet_file else {
        return Ok(None);
    };

    let (settings, _) = settings::load(file).map_err(StartError::Config)?;
    Ok(Some(Spool::at(settings.state_dir)))
}

fn open_gate(folder: &Path) -> Result<Gate, SpoolError> {
    if let Some(above) = folder.parent() {
        // What is wrong with it is said of the folder itself.
        let _ = fs::create_dir_all(above);
    }

    Gate::open(Spool::at(folder))
}
