//! The pages that are being built for several requests, or are used again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::http::reply::Reply;

/// What tells pages apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PageKey {
    /// The page's name.
    pub(super) name: &'static str,
    /// What was asked of it.
    pub(super) query: Option<String>,
    /// It is for callers on this host, whom others do not hold up.
    pub(super) is_for_host: bool,
}

/// A page that is being built, or was built.
pub(super) type SharedPage = watch::Receiver<Option<Reply>>;

/// All of them.
#[derive(Default)]
pub(super) struct SharedPages {
    pages: Mutex<HashMap<PageKey, SharedPage>>,
    built: AtomicU64,
}

impl SharedPages {
    /// How many were built so far.
    pub(super) fn built(&self) -> u64 {
        self.built.load(Ordering::Relaxed)
    }

    /// The page; with a sender where it is new and the caller is to build it.
    pub(super) fn join(&self, key: &PageKey) -> (SharedPage, Option<watch::Sender<Option<Reply>>>) {
        // One lock for look and insertion, or two callers could both be told to build it.
        let mut pages = self.lock();
        if let Some(page) = pages.get(key) {
            return (page.clone(), None);
        }

        self.built.fetch_add(1, Ordering::Relaxed);
        let (sender, page) = watch::channel(None);
        pages.insert(key.clone(), page.clone());
        (page, Some(sender))
    }

    /// Later requests have another one built.
    pub(super) fn remove(&self, key: &PageKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PageKey, SharedPage>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
