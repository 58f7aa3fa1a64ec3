//! How heartbeat's checks are run: as Python's `requests` asks, each with the certificates that it trusts, and a line
//! in the log for each that fails.
//!
//! Rule: what `requests` calls healthy is healthy: 200 at the end of at most 30 redirects.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::settings::{CheckKind, CheckManner, HeartbeatSettings, Trust};
use crate::cli::failure::Failure;
use crate::config::Config;
use crate::daemon;
use crate::group::{Alone, CheckContext, CheckRunner, Group, GroupResult, RunningCheck};
use crate::net::{LocalAddresses, Network};
use crate::probe::{Check, Compat, Headers, HttpRule, Service, Target, TlsError};

/// Runs the checks of a file, which it knows by their sections.
pub(super) struct HeartbeatRunner {
    manners: BTreeMap<String, RunManner>,
}

struct RunManner {
    context: Arc<CheckContext>,
    headers: Headers,
    told: String,
}

impl HeartbeatRunner {
    /// Prepares for the checks of a file; gives notes for whoever starts it.
    pub(super) fn new(settings: &HeartbeatSettings) -> Result<(Self, Vec<String>), Failure> {
        let mut contexts = Contexts {
            settings,
            known: Vec::new(),
            notes: Vec::new(),
        };

        let mut manners = BTreeMap::new();
        for manner in &settings.manners {
            let run = RunManner {
                context: contexts.of(manner)?,
                headers: manner.headers.clone(),
                told: manner.told.clone(),
            };
            manners.insert(manner.name.clone(), run);
        }

        Ok((Self { manners }, contexts.notes))
    }
}

impl CheckRunner for HeartbeatRunner {
    fn run_check<'a>(&'a self, check: Check, context: &'a Arc<CheckContext>) -> RunningCheck<'a> {
        let Some(manner) = self.manners.get(&*check.target.service) else {
            return Alone.run_check(check, context);
        };

        let check = with_headers(&check, &manner.headers);
        // In a context of its own, as sections may trust different certificates.
        Alone.run_check(check, &manner.context)
    }

    fn checked(&self, result: &GroupResult, group: &Group) {
        for (check, result) in group.checks.iter().zip(&result.checks) {
            let service = check.service.as_deref().unwrap_or_default();
            if let Some(manner) = self.manners.get(service) {
                log_result(&manner.told, result.outcome.passes());
            }
        }
    }
}

fn log_result(told: &str, passes: bool) {
    // The words are byrondover's, the slip included: people search logs for them.
    if passes {
        log::debug!("{told} Healthly");
    } else {
        log::error!("{told} Unhealthy");
    }
}

fn with_headers(check: &Check, headers: &Headers) -> Check {
    let target = Target {
        headers: headers.clone(),
        ..Target::clone(&check.target)
    };

    Check {
        protocol: check.protocol,
        target: Arc::new(target),
    }
}

/// What probes need, once for each kind of trust in certificates.
struct Contexts<'a> {
    settings: &'a HeartbeatSettings,
    known: Vec<(Trust, Arc<CheckContext>)>,
    notes: Vec<String>,
}

impl Contexts<'_> {
    fn of(&mut self, manner: &CheckManner) -> Result<Arc<CheckContext>, Failure> {
        let trust = match manner.kind {
            // No certificate is ever seen.
            CheckKind::Tcp => Trust::NONE,
            CheckKind::Http | CheckKind::Https => manner.trust.clone(),
        };

        if let Some(context) = self.known(&trust) {
            return Ok(context);
        }

        let context = match self.make(&trust, Compat::Heartbeat) {
            Ok(context) => Arc::new(context),
            // Only a redirect would come to TLS.
            Err(e) if manner.kind == CheckKind::Http => return self.without_redirects(&e),
            Err(e) => return Err(Failure::failed(told(&e))),
        };

        self.known.push((trust, Arc::clone(&context)));
        Ok(context)
    }

    fn known(&self, trust: &Trust) -> Option<Arc<CheckContext>> {
        let (_, context) = self.known.iter().find(|(known, _)| known == trust)?;
        Some(Arc::clone(context))
    }

    fn without_redirects(&mut self, e: &TlsError) -> Result<Arc<CheckContext>, Failure> {
        let note = format!(
            "{}; HTTP checks do not follow redirects until then",
            told(e)
        );
        // Once, however many checks it holds for.
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }

        let context = self.make(&Trust::NONE, Compat::Yelp);
        Ok(Arc::new(context.map_err(Failure::failed)?))
    }

    fn make(&self, trust: &Trust, compat: Compat) -> Result<CheckContext, TlsError> {
        let mut config = Config::default();
        config.probe.compat = compat;
        // The checks themselves are the file's own word; this is for where redirects lead.
        config.probe.check_hosts = Network::any();
        config.probe.tls_verify = trust.verify;
        config.probe.tls_ca_file.clone_from(&trust.ca_file);
        config.probe.services = self.services();
        let own = Arc::new(LocalAddresses::default());
        daemon::check_context(&config, own, daemon::memory(&config))
    }

    /// The rules of the HTTP checks, by their sections.
    fn services(&self) -> BTreeMap<String, Service> {
        let manners = self.settings.manners.iter();
        let http = manners.filter(|manner| manner.kind != CheckKind::Tcp);
        http.map(|manner| (manner.name.clone(), only_200()))
            .collect()
    }
}

fn told(e: &TlsError) -> String {
    match e {
        TlsError::Certificates { file, cause } => format!(
            "cannot read certificates from {}: {cause}; install ca-certificates or set ca_file",
            file.display()
        ),
        TlsError::Setup(_) | TlsError::ClientCertificate { .. } => e.to_string(),
    }
}

fn only_200() -> Service {
    let rule = HttpRule {
        status: Some(vec![(200, 200)]),
        ..HttpRule::default()
    };

    Service {
        http: Some(rule),
        ..Service::default()
    }
}
