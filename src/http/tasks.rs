//! The tasks of one HTTP/2 connection: none of them outlives it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::rt::Executor;
use tokio::task::JoinSet;

/// Runs a connection's tasks.
#[derive(Clone, Default)]
pub(super) struct Tasks(Arc<Mutex<JoinSet<()>>>);

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, work: F) {
        let mut tasks = self.lock();
        // A connection may live for years: those that have ended leave.
        while tasks.try_join_next().is_some() {}
        // Boxed, so that tokio's part of a task is compiled once for all kinds of them.
        let boxed: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            work.await;
        });
        tasks.spawn(boxed);
    }
}

/// Ends the connection's tasks when it is dropped.
pub(super) struct AbortOnDrop(pub(super) Tasks);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.lock().abort_all();
    }
}
