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
    let (building, asked) = (Arc::clone(&state), key.clone());
    let built = in_turn(key.is_for_host, move || {
        let began = Instant::now();
        if sharing == Sharing::UntilBegun {
            building.pages.remove(&asked);
        }
        let page = build(&building, asked.query.as_deref());
        // One place for all who get it.
        (reply::placed(page, &building.memory), began.elapsed())
    });
    let built = built.await;
    if sharing == Sharing::UntilBegun {
        // Without a page all who wait are told so, as the sender ends.
        sender.send_replace(built.map(|(page, _)| page));
        return;
    }
    if let Some((page, took)) = built {
        if took < QUICK || page.status() != StatusCode::OK {
            state.pages.remove(&key);
            sender.send_replace(Some(page));
            return;
        }
        sender.send_replace(Some(page));
        tokio::time::sleep(took.min(LONGEST)).await;
    }
    state.pages.remove(&key);
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
    let turn = line.acquire().await;
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    });
    done.await.ok()
}

fn broke_off() -> Reply {
    let text = "the page broke off inside hacheck; its log says more\n";
    reply::text(StatusCode::INTERNAL_SERVER_ERROR, text)
}
