//! Look-ups of host names.
//!
//! Rule: at most [`LOOKUPS`] run at once for pollers, and as many for the configuration. Each blocks a thread for as long as
//! the resolver likes, also when the probe that wanted it is over.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};

use tokio::task;

use super::slots::Places;
use super::{Outcome, Probe};

/// Most look-ups at once.
const LOOKUPS: usize = 16;

/// The right to look up host names, shared by all probes.
pub(super) struct Resolver(Places);

impl Default for Resolver {
    fn default() -> Self {
        Self(Places::new(LOOKUPS))
    }
}

impl Resolver {
    /// The addresses of a name, each with the port of the probe's target.
    pub(super) async fn look_up(
        &self,
        probe: &Probe<'_>,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Outcome> {
        match self.resolve(probe, name.to_owned()).await {
            Ok(found) => Ok(found),
            Err(e) => Err(unresolved(name, &e)),
        }
    }

    async fn resolve(&self, probe: &Probe<'_>, name: String) -> io::Result<Vec<SocketAddr>> {
        let place = probe.in_line(self.0.take(probe.asker)).await;
        let port = probe.target.port;
        // The place goes with the blocking call, which may outlive the probe.
        let looking_up = task::spawn_blocking(move || {
            // By getaddrinfo(3), so that /etc/hosts and nsswitch.conf count as they do for the replaced tools.
            let found = (name, port).to_socket_addrs();
            drop(place);
            found
        });
        let found = looking_up.await??;
        Ok(found.collect())
    }
}

fn unresolved(name: &str, error: &io::Error) -> Outcome {
    // The C library's beginning says the same as our own.
    let text = error.to_string();
    let cause = match text.strip_prefix("failed to lookup address information: ") {
        Some(cause) => cause,
        None => &text,
    };
    Outcome::unavailable(format!("host {name} cannot be resolved: {cause}"))
}
