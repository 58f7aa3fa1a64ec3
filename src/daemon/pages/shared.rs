//! Pages are built on a thread that serves nobody, one at a time. Requests for a page that takes long share it.
//!
//! Rule: what `hadown` and others wait for is always new: such a page is built for each request. A shared one that took
//! less than 10 ms is not used again; one that took longer is, for as long as that.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::sync::{Semaphore, watch};

use super::DaemonState;
use crate::daemon::shared_pages::{BuiltPage, PageKey};
use crate::http::memory::MemoryFull;
use crate::http::page_text::PageText;
use crate::http::reply::{self, Reply};

/// A page that is built faster is not used again.
const QUICK: Duration = Duration::from_millis(10);

/// No page is used for longer.
const LONGEST: Duration = Duration::from_secs(1);

/// Whose turn it is to build.
static TURN: Semaphore = Semaphore::const_new(1);

/// Builds a page.
pub(super) type Builder = fn(&DaemonState, Option<&str>) -> Result<PageText, MemoryFull>;

/// A page for this request alone.
pub(super) async fn alone(
    state: &Arc<DaemonState>,
    build: impl FnOnce(&DaemonState) -> Reply + Send + 'static,
) -> Reply {
    let building = Arc::clone(state);
    match in_turn(move || build(&building)).await {
        Some(reply) => reply,
        None => broke_off(),
    }
}

/// A page that requests share.
pub(super) async fn shared(state: &Arc<DaemonState>, key: PageKey, build: Builder) -> Reply {
    let (mut page, sender) = state.pages.join(&key);
    if let Some(sender) = sender {
        // In a task of its own: who began it may go before the others.
        tokio::spawn(begin(Arc::clone(state), key, build, sender));
    }
    let built = match page.wait_for(Option::is_some).await {
        Ok(built) => built.clone(),
        Err(_) => None,
    };
    match built {
        Some(Ok(text)) => reply::json_page(text),
        Some(Err(full)) => reply::full(full),
        None => broke_off(),
    }
}

async fn begin(
    state: Arc<DaemonState>,
    key: PageKey,
    build: Builder,
    sender: watch::Sender<Option<BuiltPage>>,
) {
    let (building, query) = (Arc::clone(&state), key.1.clone());
    let built = in_turn(move || {
        let began = Instant::now();
        let text = build(&building, query.as_deref());
        (text.map(Arc::new), began.elapsed())
    });
    // Without a page all who wait are told so, as the sender ends.
    if let Some((page, took)) = built.await {
        if took < QUICK || page.is_err() {
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
async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let turn = TURN.acquire().await;
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
