//! What is there already, or is to be waited for. Mostly it is there: so what it is waited with is boxed, and no part of
//! the memory of each request.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A value that is there, or that a future will bring.
pub enum Soon<T> {
    /// It is there.
    Now(T),
    /// It is to be waited for.
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T: Send + 'static> Soon<T> {
    /// The value of a future.
    pub fn later(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self::Later(Box::pin(future))
    }

    /// The value, once it is there.
    pub async fn wait(self) -> T {
        match self {
            Self::Now(value) => value,
            Self::Later(future) => future.await,
        }
    }

    /// What is made of the value, once it is there, with something shared.
    pub fn map<S, U>(
        self,
        shared: &Arc<S>,
        make: impl FnOnce(&S, T) -> U + Send + 'static,
    ) -> Soon<U>
    where
        S: Send + Sync + 'static,
        U: Send + 'static,
    {
        match self {
            Self::Now(value) => Soon::Now(make(shared, value)),
            Self::Later(future) => {
                let shared = Arc::clone(shared);
                Soon::later(async move { make(&shared, future.await) })
            }
        }
    }
}
