//! The engine: etcd's API v3, over the HTTP/2 client that the `grpc` probe uses too.
//!
//! Rule: nothing here decides anything. What is asked is asked at one member; when that fails, a reading is repeated at the
//! next one, and a writing that may have been applied is [`Committed::Unknown`].

mod access;
mod error;
mod etcd;
mod messages;
mod transaction;
mod watch;

pub use access::Access;
pub use error::EngineError;
pub use etcd::EngineSession;
pub use messages::Pair;
pub use transaction::{Committed, Found, KeyRange, Transaction};
pub use watch::{Changes, KeyWatch};

use std::time::Duration;

use super::order::random_word;

/// The engine, by whichever member answers.
pub struct Engine {
    access: Access,
    /// The member to try next; the first one is drawn, so that hosts spread over all.
    next: usize,
    session: Option<EngineSession>,
}

impl Engine {
    /// Nothing is connected yet.
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self {
            access,
            next: usize::from(random_word()),
            session: None,
        }
    }

    /// The same, beginning at a member of the caller's choice.
    #[must_use]
    pub fn beginning_at(access: Access, next: usize) -> Self {
        Self {
            next,
            ..Self::new(access)
        }
    }

    /// A connection of its own to the first member that can be reached.
    ///
    /// # Errors
    /// When none can, with the cause for each; when a member refuses us.
    pub async fn connect(&mut self) -> Result<EngineSession, EngineError> {
        let mut causes = Vec::new();
        for _ in 0..self.access.endpoints.len() {
            let member = self.access.member(self.next);
            // Whatever comes of it, the next one is tried next: this one may fail for a while.
            self.next = self.next.wrapping_add(1);
            match EngineSession::open(&self.access, member).await {
                Ok(session) => return Ok(session),
                // A wrong password or a missing right is wrong at each member, and its sentence says more.
                Err(e) if e.is_certain() => return Err(e),
                Err(e) => e.note(&mut causes),
            }
        }

        Err(EngineError::Unreachable(causes))
    }

    /// Reads several ranges at one moment, and puts them behind one another; at the next member when one fails.
    ///
    /// # Errors
    /// When no member answered, or when one refuses.
    pub async fn read(&mut self, ranges: &[KeyRange]) -> Result<Found, EngineError> {
        let mut causes = Vec::new();
        // Once more than there are members: the connection that is there may have ended long ago.
        for _ in 0..=self.access.endpoints.len() {
            let session = self.session().await?;
            match session.read_all(ranges).await {
                Ok(found) => {
                    self.session = Some(session);
                    return Ok(found);
                }
                Err(e) if e.is_certain() => return Err(e),
                Err(e) => e.note(&mut causes),
            }
        }

        Err(EngineError::Unreachable(causes))
    }

    /// Begins a lease; at the next member when one fails.
    ///
    /// # Errors
    /// When no member answered, or when one refuses.
    pub async fn grant(&mut self, life: Duration) -> Result<i64, EngineError> {
        let mut causes = Vec::new();
        for _ in 0..=self.access.endpoints.len() {
            let session = self.session().await?;
            match session.grant(life).await {
                Ok(lease) => {
                    self.session = Some(session);
                    return Ok(lease);
                }
                Err(e) if e.is_certain() => return Err(e),
                // A lease that nobody knows of ends by itself.
                Err(e) => e.note(&mut causes),
            }
        }

        Err(EngineError::Unreachable(causes))
    }

    /// Keeps a lease alive, at the member that answered last; whether it still was.
    ///
    /// # Errors
    /// When no answer came, or a refusal: nobody knows then.
    pub async fn keep_alive(&mut self, lease: i64) -> Result<bool, EngineError> {
        let session = self.session().await?;
        let is_alive = session.keep_alive(lease).await?;
        self.session = Some(session);
        Ok(is_alive)
    }

    /// Applies a transaction, once, at the member that answered last.
    ///
    /// # Errors
    /// When it certainly was not applied.
    pub async fn commit(&mut self, transaction: &Transaction) -> Result<Committed, EngineError> {
        let session = self.session().await?;
        // Not at the next member when it fails: this one may have been applied, and twice is not once.
        let committed = session.commit(transaction).await?;
        // The connection is as doubtful as the answer.
        if !matches!(committed, Committed::Unknown(_)) {
            self.session = Some(session);
        }

        Ok(committed)
    }

    /// Waits for changes of keys from a revision on, at the member that answered last.
    ///
    /// # Errors
    /// When no member can be reached, or when one refuses.
    pub async fn watch(&mut self, keys: &KeyRange, from: i64) -> Result<KeyWatch, EngineError> {
        let session = self.session().await?;
        let watch = session.watch(keys, from).await?;
        self.session = Some(session);
        Ok(watch)
    }

    /// The connection that is there, or a new one. Whoever could use it puts it back.
    async fn session(&mut self) -> Result<EngineSession, EngineError> {
        match self.session.take() {
            Some(session) => Ok(session),
            None => self.connect().await,
        }
    }
}
