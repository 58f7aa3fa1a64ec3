//! Probes without a daemon around them.

use std::sync::Arc;
use std::time::Duration;

use hacheck::net::{Host, LocalAddresses, LoginTo};
use hacheck::probe::{
    self, Asker, Capacity, Context, ProbeSettings, Protocol, Secret, Target, Trace,
};

/// What came of a probe.
#[derive(Debug, PartialEq, Eq)]
pub struct Probed {
    pub status: u16,
    pub body: String,
}

impl Probed {
    /// Checks the status, and that the body holds a text.
    #[track_caller]
    pub fn is(&self, status: u16, text: &str) {
        assert!(
            self.status == status && self.body.contains(text),
            "expected {status} with {text:?}, got {self:?}"
        );
    }
}

/// Settings to probe with. The context is kept from probe to probe, as the daemon does.
pub struct Prober(Arc<Context>);

impl Prober {
    /// The usual settings with a deadline of 10 seconds and logins anywhere on this host, changed by `set`.
    pub fn new(set: impl FnOnce(&mut ProbeSettings)) -> Self {
        let mut settings = ProbeSettings {
            healthcheck_timeout: Duration::from_secs(10),
            // Servers of tests have any port.
            login_to: anywhere_here(),
            ..ProbeSettings::default()
        };
        set(&mut settings);
        let room = Capacity {
            probes: 64,
            waiting: 64,
            memory: hacheck::http::memory::MemoryBudget::new(64 << 20),
        };
        Self(Arc::new(
            Context::new(settings, room, Arc::new(LocalAddresses::default())).unwrap(),
        ))
    }

    /// Probes a port of 127.0.0.1.
    pub fn probe(&self, protocol: &str, port: u16, query: &str) -> Probed {
        self.probe_host(protocol, Host::Local, port, query)
    }

    /// Probes a port of a host.
    pub fn probe_host(&self, protocol: &str, host: Host, port: u16, query: &str) -> Probed {
        let protocol = Protocol::find(protocol).unwrap();
        let path = if query.is_empty() {
            "/".into()
        } else {
            format!("/?{query}").into()
        };
        let target = Target {
            service: "db".into(),
            host,
            port,
            path,
            headers: hacheck::probe::Headers::default(),
            limit: None,
            trusted: false,
        };
        let outcome = super::block_on(probe::run(
            Asker::Configuration,
            protocol,
            &target,
            &self.0,
            &Trace::start(false),
        ));
        let body = String::from_utf8_lossy(&outcome.body).into_owned();
        for text in [&body, outcome.cause.as_deref().unwrap_or_default()] {
            let secrets = [
                &self.0.settings.mysql_password,
                &self.0.settings.postgres_password,
            ];
            for secret in secrets.into_iter().flatten() {
                assert!(!text.contains(secret.reveal()), "a secret shows: {text}");
            }
        }
        Probed {
            status: outcome.status.as_u16(),
            body,
        }
    }
}

/// All of this host, for `login_to`.
pub fn anywhere_here() -> Vec<LoginTo> {
    let here = ["127.0.0.0/8", "::1"];
    here.iter().filter_map(|t| LoginTo::parse(t)).collect()
}

/// A secret.
pub fn secret(text: &str) -> Option<Secret> {
    Some(Secret::new(text.into()))
}
