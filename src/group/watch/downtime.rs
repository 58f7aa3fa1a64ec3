//! The downtime of a watched group that is down.
//!
//! Rule: it is known by the beginning of its reason. One that an operator wrote is neither replaced nor lifted.

use tokio::task::{JoinError, spawn_blocking};

use crate::group::Group;
use crate::spool::{Key, Spool, SpoolError};

/// What became of a change of the spool: whether something changed, or why not, or that the process ends.
type SpoolChange = Result<Result<bool, SpoolError>, JoinError>;

/// The downtime that a watch writes and lifts.
pub(super) struct WatchDowntime {
    /// The group's name.
    name: String,
    spool: Spool,
    key: Key,
}

impl WatchDowntime {
    /// That of a group which is to have one (`down_spool`).
    pub(super) fn of(name: &str, group: &Group, spool: &Spool) -> Option<Self> {
        let key = Key::parse(group.down_spool.as_ref()?).ok()?;
        Some(Self {
            name: name.to_owned(),
            spool: spool.clone(),
            key,
        })
    }

    /// The reason of this watch's downtimes begins so: it is how a summary begins.
    fn owner(&self) -> String {
        format!("group {}: ", self.name)
    }

    /// Writes the downtime, unless there is one.
    pub(super) async fn hold(self, reason: String) {
        let name = self.name.clone();
        let text = format!("{} is down in the spool now", self.key.file_name());
        // The spool may wait for a lock and for the disk, which must not block a serving thread.
        let hold = move || self.spool.hold(&self.key, &self.owner(), reason);
        let written = spawn_blocking(hold).await;
        log_change(&name, &written, &text);
    }

    /// Lifts the downtime, if it is this watch's. Gives whether it is certainly gone.
    pub(super) async fn release(self) -> bool {
        let name = self.name.clone();
        let text = format!("{} is no longer down in the spool", self.key.file_name());
        let release = move || self.spool.release(&self.key, &self.owner());
        let lifted = spawn_blocking(release).await;
        log_change(&name, &lifted, &text);
        matches!(lifted, Ok(Ok(_)))
    }
}

fn log_change(name: &str, change: &SpoolChange, text: &str) {
    match change {
        Ok(Ok(true)) => log::info!("group {name}: {text}"),
        // Nothing had to change, or the process ends.
        Ok(Ok(false)) | Err(_) => {}
        Ok(Err(e)) => log::error!("group {name}: {e}"),
    }
}
