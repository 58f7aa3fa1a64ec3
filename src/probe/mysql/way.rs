//! Whether a server's account wants TLS, remembered for a while.
//!
//! A server does not say that an account requires TLS, it refuses the login; and a TLS client that leaves because
//! there is no TLS counts as a connection error there (`max_connect_errors`). So neither is tried with every probe.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mysql_async::SslOpts;

use crate::config::Config;
use crate::probe::{Host, Target, tls};

/// How long what was learned counts.
const KEPT: Duration = Duration::from_secs(300);

/// Most servers that are remembered.
const SERVERS: usize = 10_000;

type Known = HashMap<(Host, u16), (bool, Instant)>;

/// What was learned of servers.
#[derive(Default)]
pub(in crate::probe) struct Ways(Mutex<Known>);

impl Ways {
    /// Whether to log in over TLS; `None` when that must be found out.
    pub(super) fn known(&self, target: &Target) -> Option<bool> {
        let known = self.lock();
        let (tls, at) = known.get(&(target.host.clone(), target.port))?;
        (at.elapsed() < KEPT).then_some(*tls)
    }

    /// Remembers, or forgets.
    pub(super) fn learn(&self, target: &Target, tls: Option<bool>) {
        let key = (target.host.clone(), target.port);
        let mut known = self.lock();
        let Some(tls) = tls else {
            known.remove(&key);
            return;
        };
        if known.len() >= SERVERS {
            known.clear();
        }
        known.insert(key, (tls, Instant::now()));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// TLS as the configuration wants it. The library checks a certificate's form and signature even where nobody is to
/// verify who it belongs to: X.509 version 1 and RSA keys below 2048 bits do not pass.
pub(super) fn tls_options(config: &Config) -> SslOpts {
    if config.tls_verify {
        let roots = config.tls_ca_file.as_deref().unwrap_or(Path::new(tls::SYSTEM_CAS)).to_owned();
        SslOpts::default().with_root_certs(vec![roots.into()]).with_disable_built_in_roots(true)
    } else {
        SslOpts::default().with_danger_accept_invalid_certs(true).with_danger_skip_domain_validation(true)
    }
}
