//! Look-ups of host names.
//!
//! Rule: at most [`LOOKUPS`] run at once. Each blocks a thread for as long as the resolver likes, also when the probe
//! that wanted it is over.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task;

use super::Outcome;

/// Most look-ups at once.
const LOOKUPS: usize = 16;

/// The right to look up host names, shared by all probes.
pub(super) struct Resolver(Arc<Semaphore>);

impl Default for Resolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Resolver {
    /// The addresses of a name, each with the port.
    pub(super) async fn look_up(&self, name: &str, port: u16) -> Result<Vec<SocketAddr>, Outcome> {
        match self.resolve(name.to_owned(), port).await {
            Ok(found) => Ok(found),
            Err(e) => Err(unresolved(name, &e)),
        }
    }

    async fn resolve(&self, name: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        // The permit goes with the blocking call, which may outlive the probe.
        let permits = Arc::clone(&self.0);
        let permit = permits.acquire_owned().await.map_err(io::Error::other)?;
        let looking_up = task::spawn_blocking(move || {
            let found = (name, port).to_socket_addrs();
            drop(permit);
            found
        });
        let found = looking_up.await??;
        Ok(found.collect())
    }
}

fn unresolved(name: &str, error: &io::Error) -> Outcome {
    let text = error.to_string();
    let cause = match text.strip_prefix("failed to lookup address information: ") {
        Some(cause) => cause,
        None => &text,
    };
    Outcome::unavailable(format!("host {name} cannot be resolved: {cause}"))
}
