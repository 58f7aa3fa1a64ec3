//! Work that goes on beside a test.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::Notify;

/// Something that runs on a thread of its own until this is dropped.
pub struct Running {
    stop: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    pub fn start(work: impl Future<Output = ()> + Send + 'static) -> Self {
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            let runtime = builder.enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = work => {}
                    () = stopped.notified() => {}
                }
            });
            runtime.shutdown_background();
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
