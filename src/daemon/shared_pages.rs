//! The pages that are being built for several requests, or are used again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::http::memory::MemoryFull;
use crate::http::page_text::PageText;

/// A page's name, and what was asked of it.
pub(super) type PageKey = (&'static str, Option<String>);

/// What came of building a page.
pub(super) type BuiltPage = Result<Arc<PageText>, MemoryFull>;

/// A page that is being built, or was built.
pub(super) type SharedPage = watch::Receiver<Option<BuiltPage>>;

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
    pub(super) fn join(
        &self,
        key: &PageKey,
    ) -> (SharedPage, Option<watch::Sender<Option<BuiltPage>>>) {
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
