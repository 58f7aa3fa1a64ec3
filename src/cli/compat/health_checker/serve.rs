//! The listener of `health-checker`: every request runs the checks, or shares a run.
//!
//! Rule: checks run to their end, whether or not their client is still there: one that closes its sending side and waits
//! looks the same.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{GROUP, HealthChecker, report};
use crate::cli::failure::{Failure, failed};
use crate::config::Config;
use crate::daemon;
use crate::group::{self, Alone, CheckContext, Group, GroupResult};
use crate::http::accept;
use crate::http::connections::Connections;
use crate::http::memory::MemoryBudget;
use crate::http::reply::{self, Reply};
use crate::http::server::{Handler, Http};
use crate::net::LocalAddresses;
use crate::os::cause::cause_text;
use crate::os::orphans;
use crate::os::signals::StopSignals;

/// How long running requests may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(1);

/// Most bytes of a request's head, as Go's servers take.
const HEAD_MAX: usize = 1 << 20;

/// Most headers of a request. hyper makes room for all of them each time.
const HEADERS_MAX: usize = 1000;

/// Serves until a signal ends it.
pub(super) async fn run(checker: HealthChecker) -> Result<(), Failure> {
    let address = checker.listener;
    let memory = daemon::memory(&checker.config);
    let handler = HealthHandler::new(&checker, &memory)?;
    if orphans::are_ours() {
        tokio::spawn(orphans::reap());
    }
    // Before the socket: whoever finds it open may also end this process in order.
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let socket = bind(address)?;
    report::start(handler.group(), &checker, &socket);
    let connections = connections(memory);
    let (stopping, stopped) = watch::channel(false);
    let (table, http) = (Arc::clone(&connections), Http::new(handler));
    tokio::spawn(accept::run(socket, table, http, stopped));
    signals.any().await;
    log::info!("stopping");
    // The receiver lives as long as it accepts.
    let _ = stopping.send(true);
    // What is not done by then is broken off: a script may take a day.
    let _ = tokio::time::timeout(DRAIN, connections.drained()).await;
    Ok(())
}

/// Connections with the limits of Go's servers, and for the rest the daemon's own.
fn connections(memory: Arc<MemoryBudget>) -> Arc<Connections> {
    let mut config = Config::default();
    config.http.max_head = HEAD_MAX;
    config.http.max_headers = HEADERS_MAX;
    let most = daemon::connections(&config);
    Arc::new(Connections::new(most, config.http, memory))
}

fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    match accept::bind_alone(address) {
        Ok(socket) => Ok(socket),
        Err(e) => {
            let cause = cause_text(e);
            Err(failed!(
                "cannot listen on {address}: {cause}; stop what listens there, or choose another --listener"
            ))
        }
    }
}

/// Answers every request with the state of all checks.
#[derive(Clone)]
struct HealthHandler {
    context: Arc<CheckContext>,
    verbose_body: bool,
    /// The run that requests share; none without `--singleflight`.
    flight: Option<Arc<Mutex<Option<Flight>>>>,
}

/// A run that is waited for: none while it lasts.
type Flight = watch::Receiver<Option<Arc<GroupResult>>>;

fn is_running(flight: &Flight) -> bool {
    // Not one that has its result: that may be of any age. Nor one whose task panicked, which has no sender any more.
    flight.borrow().is_none() && flight.has_changed().is_ok()
}

impl Handler for HealthHandler {
    async fn handle(
        &self,
        _request: Box<Request<Incoming>>,
        _poller: SocketAddr,
        _arrived: Instant,
    ) -> Reply {
        self.ask().await
    }
}

/// The body of Gruntwork's health-checker.
const FAILED: &str = "At least one health check failed";

impl HealthHandler {
    fn new(checker: &HealthChecker, memory: &Arc<MemoryBudget>) -> Result<Self, Failure> {
        let own = Arc::new(LocalAddresses::default());
        let context = daemon::check_context(&checker.config, own, Arc::clone(memory));
        let context = context.map_err(Failure::failed)?;
        Ok(Self {
            context: Arc::new(context),
            verbose_body: checker.verbose_body,
            flight: checker.singleflight.then(Arc::default),
        })
    }

    async fn ask(&self) -> Reply {
        let mut flight = self.flight();
        let result = match flight.wait_for(Option::is_some).await {
            Ok(found) => found.clone(),
            // The run broke off.
            Err(_) => None,
        };
        match result {
            Some(result) => self.answer(&result),
            None => reply::text(StatusCode::GATEWAY_TIMEOUT, FAILED),
        }
    }

    /// The run that a request waits for; told in the words of Gruntwork's tool.
    fn flight(&self) -> Flight {
        let received = "Received inbound request.";
        match &self.flight {
            None => {
                log::info!("{received} Beginning health checks...");
                self.begin()
            }
            Some(shared) => {
                log::info!("{received} Performing singleflight health checks...");
                self.running_or_new(shared)
            }
        }
    }

    fn group(&self) -> Option<&Group> {
        self.context.groups.get(GROUP)
    }

    async fn run(&self) -> Option<Arc<GroupResult>> {
        let group = self.group()?;
        let result = group::run(GROUP, group, &Alone, &self.context).await;
        report::result(group, &result);
        Some(Arc::new(result))
    }

    fn running_or_new(&self, shared: &Mutex<Option<Flight>>) -> Flight {
        // The lock is held until the new run is known, so that two requests cannot both begin one.
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shared {
            Some(flight) if is_running(flight) => flight.clone(),
            _ => shared.insert(self.begin()).clone(),
        }
    }

    /// Runs the checks in a task of their own.
    fn begin(&self) -> Flight {
        let (sender, result) = watch::channel(None);
        let handler = self.clone();
        tokio::spawn(async move {
            let result = handler.run().await;
            sender.send_replace(result);
        });
        result
    }

    fn answer(&self, result: &GroupResult) -> Reply {
        let (status, body) = match result.passes() {
            true => (StatusCode::OK, "OK"),
            false => (StatusCode::GATEWAY_TIMEOUT, FAILED),
        };
        if self.verbose_body {
            return reply::text(status, format!("{body}\n\n{}", result.list()));
        }
        reply::text(status, body)
    }
}
