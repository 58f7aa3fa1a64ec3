//! Places for what runs at once, dealt out so that no stranger takes those of a balancer.
//!
//! Rule: of all places strangers get three quarters at most, and one address among them half. Established pollers get all
//! of them, but one address three quarters at most. The configuration has as many again for itself. Whoever gets none
//! waits in line.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::by_key::{ByKey, InUse};
use crate::probe::asker::Asker;

/// Fewer places than these are too few to share: whoever comes first gets them.
const FEW: usize = 4;

/// The places for one kind of work.
pub(in crate::probe) struct Places {
    size: usize,
    pollers: Arc<Semaphore>,
    /// What of these is open to strangers.
    strangers: Arc<Semaphore>,
    /// What of these is open to one address.
    addresses: Arc<ByKey<Asker, Semaphore>>,
    configuration: Arc<Semaphore>,
}

/// A place, given back when dropped.
#[derive(Default)]
pub(in crate::probe) struct Seat {
    _permits: [Option<OwnedSemaphorePermit>; 3],
    _address: Option<InUse<Asker, Semaphore>>,
}

impl Places {
    /// So many places for pollers, and as many for the configuration.
    pub(in crate::probe) fn new(size: usize) -> Self {
        // A semaphore panics on more.
        let size = size.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            size,
            pollers: Arc::new(Semaphore::new(size)),
            strangers: Arc::new(Semaphore::new(three_quarters(size))),
            addresses: Arc::default(),
            configuration: Arc::new(Semaphore::new(size)),
        }
    }

    /// Waits in line for a place.
    pub(in crate::probe) async fn take(&self, asker: Asker) -> Seat {
        match asker {
            Asker::Configuration => Seat {
                _permits: [acquire(&self.configuration).await, None, None],
                _address: None,
            },
            Asker::Established(_) => self.take_by_address(asker, three_quarters(self.size)).await,
            Asker::Stranger(_) => self.take_by_address(asker, half(self.size)).await,
        }
    }

    /// From the narrowest limit to the widest, so that whoever waits keeps nobody from a place but its own like.
    async fn take_by_address(&self, asker: Asker, most: usize) -> Seat {
        // Kept in the seat: the address's own semaphore is there for as long as anybody uses it.
        let address = self.addresses.begin(asker, || Semaphore::new(most));
        let own = acquire(&address.value).await;
        let open = match asker {
            Asker::Stranger(_) => acquire(&self.strangers).await,
            Asker::Established(_) | Asker::Configuration => None,
        };

        let place = acquire(&self.pollers).await;
        Seat {
            _permits: [own, open, place],
            _address: Some(address),
        }
    }

    /// The places for pollers.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The places that are taken, the configuration's too.
    pub(super) fn taken(&self) -> usize {
        // Each of the two has as many places as that.
        let free = self.pollers.available_permits() + self.configuration.available_permits();
        (2 * self.size).saturating_sub(free)
    }
}

async fn acquire(semaphore: &Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // The semaphores are never closed, so `ok` loses nothing.
    Arc::clone(semaphore).acquire_owned().await.ok()
}

pub(super) fn half(size: usize) -> usize {
    if size < FEW { size } else { size / 2 }
}

fn three_quarters(size: usize) -> usize {
    size - size / 4
}
