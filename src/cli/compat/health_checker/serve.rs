//! The listener of `health-checker`: every request runs the checks, or shares a run.
//!
//! Rule: nothing runs on for clients that are gone.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{GROUP, Options};
use crate::config::Config;
use crate::daemon;
use crate::group::{self, Alone, CheckContext, Group};
use crate::http::accept;
use crate::http::connections::Connections;
use crate::http::reply::{self, Reply};
use crate::http::server::{Handler, Http};
use crate::os::cause::cause_text;
use crate::os::orphans;
use crate::os::sys::LocalAddresses;

/// How long running requests may take to end after SIGTERM.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until a signal ends it.
pub(super) async fn run(options: Options) -> Result<(), String> {
    let own = Arc::new(LocalAddresses::default());
    let context = daemon::check_context(&options.config, own).map_err(|e| e.to_string())?;
    let pollers = Pollers {
        context: Arc::new(context),
        verbose_body: options.verbose_body,
        flight: options.singleflight.then(Arc::default),
    };
    if orphans::are_ours() {
        tokio::spawn(orphans::reap());
    }
    let mut stop = signal(SignalKind::terminate())
        .map_err(|e| format!("cannot listen for signals: {}", cause_text(e)))?;
    let mut interrupt = signal(SignalKind::interrupt())
        .map_err(|e| format!("cannot listen for signals: {}", cause_text(e)))?;
    let socket = accept::bind(options.listener).map_err(|e| {
        let cause = cause_text(e);
        format!(
            "cannot listen on {}: {cause}; stop what listens there, or choose another --listener",
            options.listener
        )
    })?;
    for check in pollers.group().map(|g| &g.checks).into_iter().flatten() {
        log::info!("the health check asks {}", check.text);
    }
    log::info!(
        "listening on {}",
        socket.local_addr().unwrap_or(options.listener)
    );
    let connections = Arc::new(Connections::new(daemon::limits(&Config::default())));
    let (stopping, stopped) = watch::channel(false);
    tokio::spawn(accept::run(
        socket,
        Arc::clone(&connections),
        Http(pollers),
        stopped,
    ));
    tokio::select! {
        _ = stop.recv() => {}
        _ = interrupt.recv() => {}
    }
    log::info!("stopping");
    let _ = stopping.send(true);
    let _ = tokio::time::timeout(DRAIN, connections.drained()).await;
    Ok(())
}

/// Answers every request.
#[derive(Clone)]
struct Pollers {
    context: Arc<CheckContext>,
    verbose_body: bool,
    /// The run that requests share; none without `--singleflight`.
    flight: Option<Arc<Mutex<Weak<Flight>>>>,
}

/// A run that several requests wait for; it ends with the last of them.
struct Flight {
    result: watch::Receiver<Option<Arc<group::Result>>>,
    task: AbortHandle,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Handler for Pollers {
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

/// The original's body.
const FAILED: &str = "At least one health check failed";

impl Pollers {
    async fn ask(&self, poller: SocketAddr) -> Reply {
        let result = match &self.flight {
            None => self.run().await.map(Arc::new),
            Some(flight) => self.join(flight).await,
        };
        let Some(result) = result else {
            return reply::text(StatusCode::GATEWAY_TIMEOUT, FAILED);
        };
        for check in result.checks.iter().filter(|c| !c.outcome.passes()) {
            log::warn!(
                "{} FAILED after {:.2}s: {}",
                check.text,
                check.took.as_secs_f64(),
                group::said(&check.outcome)
            );
        }
        log::debug!("{} for {}", result.summary(), poller.ip());
        self.answer(&result)
    }

    fn group(&self) -> Option<&Group> {
        self.context.groups.get(GROUP)
    }

    async fn run(&self) -> Option<group::Result> {
        Some(group::run(GROUP, self.group()?, &Alone, &self.context).await)
    }

    async fn join(&self, flight: &Mutex<Weak<Flight>>) -> Option<Arc<group::Result>> {
        let flight = {
            let mut known = flight.lock().unwrap_or_else(PoisonError::into_inner);
            match known.upgrade().filter(|f| f.result.borrow().is_none()) {
                Some(running) => running,
                None => {
                    let begun = self.begin();
                    *known = Arc::downgrade(&begun);
                    begun
                }
            }
        };
        let mut result = flight.result.clone();
        let found = result.wait_for(Option::is_some).await.ok()?;
        found.clone()
    }

    fn begin(&self) -> Arc<Flight> {
        let (sender, result) = watch::channel(None);
        let pollers = self.clone();
        let task = tokio::spawn(async move {
            let result = pollers.run().await.map(Arc::new);
            sender.send_replace(result);
        });
        Arc::new(Flight {
            result,
            task: task.abort_handle(),
        })
    }

    fn answer(&self, result: &group::Result) -> Reply {
        let (status, body) = if result.passes() {
            (StatusCode::OK, "OK")
        } else {
            (StatusCode::GATEWAY_TIMEOUT, FAILED)
        };
        if self.verbose_body {
            return reply::text(status, format!("{body}\n\n{}", result.list()));
        }
        reply::text(status, body)
    }
}
