//! This host's own addresses, and the one that its own name resolves to.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use crate::net::LocalAddresses;
use crate::os::cause::cause_text;

/// How often this host's own name is looked up again.
const OWN_NAME_EVERY: Duration = Duration::from_secs(60);

/// How long the start waits for the first look-up.
const START_WAIT: Duration = Duration::from_millis(500);

/// Learns this host's addresses, and goes on learning its own name in a thread that may hang without harm.
pub(super) fn learn() -> Arc<LocalAddresses> {
    let own = Arc::new(LocalAddresses::default());
    let (known, wait) = sync_channel(1);
    let learning = Arc::clone(&own);
    let thread = std::thread::Builder::new().name("own-name".into());
    if let Err(e) = thread.spawn(move || look_up_for_ever(&learning, &known)) {
        let cause = cause_text(e);
        log::warn!("cannot start the thread that looks up this host's own name: {cause}");
    }

    // With /etc/hosts this takes no time; a name server that hangs must not hold up the start.
    let _ = wait.recv_timeout(START_WAIT);
    own
}

fn look_up_for_ever(own: &LocalAddresses, known: &SyncSender<()>) {
    loop {
        own.look_up_own_name();
        // Only the first one is waited for. Later ones find the channel full or its other end gone.
        let _ = known.try_send(());
        std::thread::sleep(OWN_NAME_EVERY);
    }
}
