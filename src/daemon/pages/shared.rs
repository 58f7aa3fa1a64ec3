//! Pages are built on a thread that serves nobody, one at a time for callers on this host and one for all others.
//!
//! Rule: what `hadown` and others wait for is always new: it is built after the request came, so requests share it only
//! until it is begun. Any other page is shared while it is built; one that took less than 10 ms is not used again, one
//! that took longer is, for as long as that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::sync::{Semaphore, watch};

use super::DaemonState;
use crate::daemon::shared_pages::PageKey;
use crate::http::reply::{self, Reply};

/// A page that is built faster is not used again.
const QUICK: Duration = Duration::from_millis(10);

/// No page is used for longer.
const LONGEST: Duration = Duration::from_secs(1);

/// Whose turn it is to build for callers on this host.
static TURN_OF_HOST: Semaphore = Semaphore::const_new(1);

/// Whose turn it is to build for others.
static TURN_OF_OTHERS: Semaphore = Semaphore::const_new(1);

/// Builds a page for a query string.
pub(super) type Builder = fn(&DaemonState, Option<&str>) -> Reply;

/// Who shares a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Those who asked before it was begun.
    UntilBegun,
    /// Those who asked before it was built, and for as long again as that took.
    WhileNew,
}

/// A page, for all who asked for it meanwhile.
pub(super) async fn page(
    state: &Arc<DaemonState>,
    key: PageKey,
    sharing: Sharing,
    build: Builder,
) -> Reply {
    let (mut page, sender) = state.pages.join(&key);
    if let Some(sender) = sender {
        // In a task of its own: who began it may go before the others.
        tokio::spawn(begin(Arc::clone(state), key, sharing, build, sender));
    }

    let built = match page.wait_for(Option::is_some).await {
        Ok(built) => built.clone(),
        // The sender ended without a page.
        Err(_) => None,
    };
    built.unwrap_or_else(broke_off)
}

async fn begin(
    state: Arc<DaemonState>,
    key: PageKey,
    sharing: Sharing,
    build: Builder,
    sender: watch::Sender<Option<Reply>>,
) {
    let built = built(&state, &key, sharing, build).await;
    match (sharing, built) {
        // It has gone from the pages that can be joined, where another one may stand by now.
        (Sharing::UntilBegun, built) => {
            sender.send_replace(built.map(|built| built.page));
        }
        (Sharing::WhileNew, Some(built)) => share_while_new(&state, &key, built, &sender).await,
        // Without a page all who wait are told so, as the sender ends.
        (Sharing::WhileNew, None) => state.pages.remove(&key),
    }
}

async fn share_while_new(
    state: &DaemonState,
    key: &PageKey,
    Built { page, took }: Built,
    sender: &watch::Sender<Option<Reply>>,
) {
    if took < QUICK || page.status() != StatusCode::OK {
        // First, or a request between the two would still be given this one.
        state.pages.remove(key);
        sender.send_replace(Some(page));
        return;
    }

    sender.send_replace(Some(page));
    tokio::time::sleep(took.min(LONGEST)).await;
    state.pages.remove(key);
}

/// A page, and how long building it took.
struct Built {
    page: Reply,
    took: Duration,
}

/// The page; `None` where building it panicked.
async fn built(
    state: &Arc<DaemonState>,
    key: &PageKey,
    sharing: Sharing,
    build: Builder,
) -> Option<Built> {
    let (state, asked) = (Arc::clone(state), key.clone());
    let work = move || {
        let began = Instant::now();
        // Whoever asks from here on may know of a change that this page does not show.
        if sharing == Sharing::UntilBegun {
            state.pages.remove(&asked);
        }
        let page = build(&state, asked.query.as_deref());
        Built {
            // One place for all who get it.
            page: reply::placed(page, &state.memory),
            took: began.elapsed(),
        }
    };
    in_turn(key.is_for_host, work).await
}

/// Does something on a thread that serves nobody, after what others have to do there. The turn ends with the work,
/// whether anybody still waits for it or not.
async fn in_turn<T: Send + 'static>(
    is_for_host: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let line = match is_for_host {
        true => &TURN_OF_HOST,
        false => &TURN_OF_OTHERS,
    };

    // Only a semaphore that is closed gives none, and nobody closes these.
    let turn = line.acquire().await;
    let done = tokio::task::spawn_blocking(move || {
        // Moved into the work, which nobody can cancel once it runs.
        let _turn = turn;
        work()
    });
    done.await.ok()
}

fn broke_off() -> Reply {
    let text = "the page broke off inside hacheck; its log says more\n";
    reply::text(StatusCode::INTERNAL_SERVER_ERROR, text)
}
