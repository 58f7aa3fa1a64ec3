//! The threads that serve, each with a runtime of its own.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::error::StartError;
use super::sockets::Listeners;
use super::state::DaemonState;
use super::watchdog::Watchdog;
use crate::os::cause::cause_text;

/// A runtime on this thread.
///
/// # Errors
/// When the kernel gives no means for one.
pub(crate) fn runtime() -> Result<Runtime, StartError> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().map_err(StartError::Runtime)
}

/// A further thread that serves until `stopped` and its connections are drained.
pub(super) fn start(
    number: usize,
    sockets: Listeners,
    state: Arc<DaemonState>,
    stopped: watch::Receiver<bool>,
    dog: Option<Watchdog>,
) -> Result<JoinHandle<()>, StartError> {
    let runtime = runtime()?;
    let work = move || {
        runtime.block_on(serve(number, sockets, state, stopped, dog));
        // Look-ups of names may hang, and are not waited for.
        runtime.shutdown_background();
    };

    let named = std::thread::Builder::new().name(format!("serve-{number}"));
    let started = named.spawn(work);
    started.map_err(|e| StartError::Thread(number, e))
}

async fn serve(
    number: usize,
    sockets: Listeners,
    state: Arc<DaemonState>,
    mut stopped: watch::Receiver<bool>,
    dog: Option<Watchdog>,
) {
    // The main thread, number 0, has no flag: it reports, and so shows its own life.
    if let Some(dog) = dog {
        tokio::spawn(dog.beat(number - 1));
    }

    if let Err(e) = sockets.accept_all(&state, &stopped) {
        // The other threads accept from the same sockets, so no poller is lost.
        log::error!("thread {number} cannot use the sockets: {}", cause_text(e));
    }

    // An error means that the sender is gone, which ends the daemon too.
    let _ = stopped.wait_for(|stop| *stop).await;
    state.connections.drained().await;
}
