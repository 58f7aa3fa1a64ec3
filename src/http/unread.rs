//! Answers over HTTP/2 that their poller does not read: it may leave each stream unread while the connection goes on, so
//! that no write ever waits.

use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Executor as _;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::reply::Reply;
use super::tasks::Tasks;

/// Ends a connection when one of its answers is not sent within a limit.
#[derive(Clone)]
pub(super) struct UnreadTimeout {
    limit: Duration,
    tasks: Tasks,
    overdue: Arc<Notify>,
}

impl UnreadTimeout {
    pub(super) fn new(limit: Duration, tasks: Tasks) -> Self {
        Self {
            limit,
            tasks,
            overdue: Arc::default(),
        }
    }

    /// Waits until an answer has been unread for too long.
    pub(super) async fn elapsed(&self) {
        self.overdue.notified().await;
    }

    /// Watches an answer from now on.
    pub(super) fn watch(&self, reply: Reply) -> Reply {
        let (unsent, sent) = oneshot::channel::<()>();
        // One of the connection's tasks, so that it ends with it.
        let overdue = Arc::clone(&self.overdue);
        self.tasks
            .execute(notify_if_unsent(sent, self.limit, overdue));
        reply.map(|body| body.waited_for(Arc::new(unsent)))
    }
}

async fn notify_if_unsent(sent: oneshot::Receiver<()>, limit: Duration, overdue: Arc<Notify>) {
    // The sender is dropped with the last byte, so that an error of the channel means sent.
    if timeout(limit, sent).await.is_err() {
        overdue.notify_one();
    }
}
