//! Whether this host is out already, by its own disk: then it may begin, or a broken host would block its own repair.
//!
//! Rule: what is taken over is taken over under the lock of the spool, so that nothing can be lifted in between.

use crate::cli::failure::Failure;
use crate::fleet::picture::covering;
use crate::fleet::slots::OwnDowntimes;
use crate::spool::{Downtime, Key, Spool, SpoolError};

/// The downtimes of this host that a roll may take over.
pub(crate) struct Takeover<'a> {
    pub(crate) spool: &'a Spool,
    /// What the fleet has ordered here.
    pub(crate) fleet: Option<&'a Spool>,
    /// What the roll writes.
    pub(crate) downtime: Downtime,
    /// Whether it may replace any downtime, or only those of the rolls that it goes on from.
    pub(crate) force: bool,
    pub(crate) rolls: Vec<String>,
    /// Keys of which no downtime was there, only one of all that covers them.
    pub(crate) added: Vec<Key>,
    pub(crate) trouble: Option<SpoolError>,
}

impl Takeover<'_> {
    /// What went wrong on the disk.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        match self.trouble.take() {
            None => Ok(()),
            Some(e) => Err(Failure::failed(e)),
        }
    }

    fn may_replace(&self, downtime: &Downtime) -> bool {
        let is_known = |roll: &str| self.rolls.iter().any(|known| known == roll);
        self.force || downtime.roll().is_some_and(is_known)
    }

    fn found(&self, key: &Key) -> Option<Out> {
        if let Some(own) = read(self.spool, key) {
            return self.may_replace(&own).then_some(Out::Itself);
        }

        for name in covering(key) {
            // Names that cover a key are names of spool entries themselves.
            let other = Key::parse(&name).ok()?;
            if self.is_down(&other) {
                return Some(Out::Covered);
            }
        }

        None
    }

    /// By a downtime of this host, or an order of the fleet.
    fn is_down(&self, key: &Key) -> bool {
        let spools = [Some(self.spool), self.fleet];
        let mut spools = spools.into_iter().flatten();
        spools.any(|spool| read(spool, key).is_some())
    }
}

fn read(spool: &Spool, key: &Key) -> Option<Downtime> {
    // What cannot be read is no reason to begin.
    spool.read(key).ok().flatten()
}

/// How a key is out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Out {
    Itself,
    /// By a downtime of more than the key, or of the fleet.
    Covered,
}

impl OwnDowntimes for Takeover<'_> {
    fn is_out(&mut self, key: &Key) -> bool {
        self.found(key).is_some()
    }

    fn take_over(&mut self, key: &Key) -> bool {
        let mut found = None;
        let mut look = || {
            found = self.found(key);
            found.is_some()
        };

        let taken = self.spool.take_over(key, self.downtime.clone(), &mut look);
        // What covers the key stays, and what was written for the key alone has to go in the end.
        if found == Some(Out::Covered) {
            self.added.push(key.clone());
        }

        match taken {
            Ok(taken) => taken,
            Err(e) => {
                self.trouble = Some(e);
                false
            }
        }
    }
}
