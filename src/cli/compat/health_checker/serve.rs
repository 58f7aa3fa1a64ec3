//! The listener of `health-checker`: every request runs the checks, or shares a run.
//!
//! Rule: nothing runs on for clients that are gone.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{GROUP, HealthChecker};
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

/// Serves until a signal ends it.
pub(super) async fn run(checker: HealthChecker) -> Result<(), Failure> {
    let address = checker.listener;
    let memory = daemon::memory(&checker.config);
    let handler = HealthHandler::new(&checker, &memory)?;
    if orphans::are_ours() {
        tokio::spawn(orphans::reap());
    }
    let mut signals = StopSignals::listen().map_err(Failure::failed)?;
    let socket = bind(address)?;
    log_start(&handler, &socket);
    let config = Config::default();
    let most = daemon::connections(&config);
    let connections = Connections::new(most, config.http, memory);
    let connections = Arc::new(connections);
    let (stopping, stopped) = watch::channel(false);
    let accepting = accept::run(socket, Arc::clone(&connections), Http(handler), stopped);
    tokio::spawn(accepting);
    signals.any().await;
    log::info!("stopping");
    let _ = stopping.send(true);
    let _ = tokio::time::timeout(DRAIN, connections.drained()).await;
    Ok(())
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

fn log_start(handler: &HealthHandler, socket: &TcpListener) {
    if let Some(group) = handler.group() {
        for check in &group.checks {
            log::info!("the health check asks {}", check.text);
        }
    }
    if let Ok(address) = socket.local_addr() {
        log::info!("listening on {address}");
    }
}

/// Answers every request with the state of all checks.
#[derive(Clone)]
struct HealthHandler {
    context: Arc<CheckContext>,
    verbose_body: bool,
    /// The run that requests share; none without `--singleflight`.
    flight: Option<Arc<Mutex<Weak<Flight>>>>,
}

/// A run that several requests wait for; it ends with the last of them.
struct Flight {
    result: watch::Receiver<Option<Arc<GroupResult>>>,
    task: AbortHandle,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Handler for HealthHandler {
    // A client that is gone must be noticed while its checks run.
    const HALF_CLOSE: bool = false;

    fn admits(&self, _: IpAddr) -> bool {
        true
    }

    async fn handle(
        &self,
        _request: Request<Incoming>,
        poller: SocketAddr,
        _arrived: Instant,
    ) -> Reply {
        self.ask(poller).await
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

    async fn ask(&self, poller: SocketAddr) -> Reply {
        let result = match &self.flight {
            None => self.run().await,
            Some(flight) => self.join(flight).await,
        };
        let Some(result) = result else {
            return reply::text(StatusCode::GATEWAY_TIMEOUT, FAILED);
        };
        log_result(&result, poller.ip());
        self.answer(&result)
    }

    fn group(&self) -> Option<&Group> {
        self.context.groups.get(GROUP)
    }

    async fn run(&self) -> Option<Arc<GroupResult>> {
        let result = group::run(GROUP, self.group()?, &Alone, &self.context).await;
        Some(Arc::new(result))
    }

    async fn join(&self, shared: &Mutex<Weak<Flight>>) -> Option<Arc<GroupResult>> {
        let flight = self.running_or_new(shared);
        let mut result = flight.result.clone();
        let found = result.wait_for(Option::is_some).await.ok()?;
        found.clone()
    }

    fn running_or_new(&self, shared: &Mutex<Weak<Flight>>) -> Arc<Flight> {
        // The lock is held until the new run is known, so that two requests cannot both begin one.
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade()
            && running.result.borrow().is_none()
        {
            return running;
        }
        let flight = self.begin();
        *shared = Arc::downgrade(&flight);
        flight
    }

    fn begin(&self) -> Arc<Flight> {
        let (sender, result) = watch::channel(None);
        let handler = self.clone();
        let task = tokio::spawn(async move {
            let result = handler.run().await;
            sender.send_replace(result);
        });
        Arc::new(Flight {
            result,
            task: task.abort_handle(),
        })
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

fn log_result(result: &GroupResult, poller: IpAddr) {
    for check in &result.checks {
        if !check.outcome.passes() {
            let (text, seconds) = (&check.text, check.took.as_secs_f64());
            let said = group::said(&check.outcome);
            log::warn!("{text} FAILED after {seconds:.2}s: {said}");
        }
    }
    log::debug!("{} for {poller}", result.summary());
}
