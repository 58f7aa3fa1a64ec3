//! The groups of the daemon: their own listeners and their watches, kept in step with the configuration.
//!
//! Rule: a reload stops what is gone, starts what is new, and leaves everything else running with its state.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::error::GroupListenError;
use super::poll::decide::Verdict;
use super::poll::route::CheckPath;
use super::poll::{Poll, answer};
use super::state::DaemonState;
use crate::config::Config;
use crate::group::watch::{self as watching, Means};
use crate::http::accept;
use crate::http::reply::{self, Reply};
use crate::http::server::{Handler, Http};
use crate::ledger::Face;
use crate::probe::{GROUP, Outcome, Protocol};
use crate::spool::ServiceName;

/// The listeners and watches that run.
pub struct GroupTasks {
    state: Arc<DaemonState>,
    means: Arc<Means>,
    reload: watch::Sender<()>,
    watches: HashMap<String, JoinHandle<()>>,
    listeners: HashMap<(SocketAddr, String), watch::Sender<bool>>,
    own: Vec<SocketAddr>,
}

impl GroupTasks {
    /// Starts everything on this thread's runtime. `own` are the addresses that the daemon listens on already.
    ///
    /// # Errors
    /// When an address cannot be listened on.
    pub fn start(state: &Arc<DaemonState>, own: Vec<SocketAddr>) -> Result<Self, GroupListenError> {
        let mut groups = Self::new(state, own);
        let faults = groups.listen();
        // Before the first probe, which must not be one of hacheck itself.
        groups.tell_listeners();
        // Who starts by hand mends one after the other; a reload logs them all.
        if let Some(fault) = faults.into_iter().next() {
            return Err(fault);
        }
        groups.watch();
        Ok(groups)
    }

    fn new(state: &Arc<DaemonState>, own: Vec<SocketAddr>) -> Self {
        Self {
            state: Arc::clone(state),
            means: Arc::new(means(state)),
            // Each watch has a receiver of its own, by `subscribe`.
            reload: watch::channel(()).0,
            watches: HashMap::new(),
            listeners: HashMap::new(),
            own,
        }
    }

    /// Brings everything in step with the configuration in force.
    #[must_use]
    pub fn reload(&mut self) -> Vec<GroupListenError> {
        // One group that cannot listen keeps no other from it.
        let faults = self.listen();
        if self.tell_listeners() {
            // What was found at a port that is hacheck's own now, or is so no more, says nothing.
            self.state.checker.cache().clear();
        }
        // The watches that run read the configuration themselves.
        self.reload.send_replace(());
        self.watch();
        let config = Arc::clone(&self.state.live().config);
        let states = &self.means.states;
        states.keep(|name| config.groups.contains_key(name));
        faults
    }

    /// Accepts no more connections.
    pub fn stop(&mut self) {
        for stop in self.listeners.values() {
            stop.send_replace(true);
        }
    }

    /// Opens and closes listeners; what could not be opened.
    fn listen(&mut self) -> Vec<GroupListenError> {
        let wanted = wanted_listeners(&self.state.live().config);
        // Before any is opened, as an address may go from one group to another.
        self.close_all_but(&wanted);
        let mut errors = Vec::new();
        for place in wanted {
            // One that is open stays so: its connections are not cut by a reload.
            if !self.listeners.contains_key(&place) {
                errors.extend(self.open(place).err());
            }
        }
        errors
    }

    fn close_all_but(&mut self, wanted: &[(SocketAddr, String)]) {
        self.listeners.retain(|known, stop| {
            let stays = wanted.contains(known);
            if !stays {
                let (address, name) = known;
                log::info!("group {name}: no longer listening on {address}");
                stop.send_replace(true);
            }
            stays
        });
    }

    /// Opens one listener.
    fn open(&mut self, (address, name): (SocketAddr, String)) -> Result<(), GroupListenError> {
        match self.bind(address) {
            Ok(listener) => {
                log::info!("group {name}: listening on {address}");
                self.begin(listener, (address, name));
                Ok(())
            }
            Err(cause) => Err(GroupListenError {
                name,
                address,
                cause,
            }),
        }
    }

    fn begin(&mut self, listener: TcpListener, place: (SocketAddr, String)) {
        // The configuration takes only names that fit.
        if let Ok(service) = ServiceName::parse(&place.1) {
            let stop = self.serve(listener, service);
            self.listeners.insert(place, stop);
        }
    }

    /// An error without a cause means that the daemon itself is there.
    fn bind(&self, address: SocketAddr) -> Result<TcpListener, Option<io::Error>> {
        if self.is_own(address) {
            return Err(None);
        }
        accept::bind(address).map_err(Some)
    }

    /// Serves a group on a listener; gives what stops it.
    fn serve(&self, listener: TcpListener, name: ServiceName) -> watch::Sender<bool> {
        let handler = GroupHandler {
            state: Arc::clone(&self.state),
            name,
        };
        // One for each listener, as a reload may take one group's away.
        let (stop, stopped) = watch::channel(false);
        let connections = Arc::clone(&self.state.connections);
        let service = Http::new(handler);
        tokio::spawn(accept::run(listener, connections, service, stopped));
        stop
    }

    /// Tells the probes where hacheck itself listens, so that they keep off. Gives whether that has changed.
    fn tell_listeners(&self) -> bool {
        let mut addresses = self.own.clone();
        addresses.extend(self.listeners.keys().map(|(address, _)| *address));
        self.state.live().own.listeners.set(addresses)
    }

    /// Whether the daemon itself is there: the kernel would let a group in too, and deal requests out by chance.
    fn is_own(&self, address: SocketAddr) -> bool {
        self.own.iter().any(|own| overlap(*own, address))
    }

    /// Starts the watches that do not run. Those that are gone end by themselves.
    fn watch(&mut self) {
        self.watches.retain(|_, task| !task.is_finished());
        let config = Arc::clone(&self.state.live().config);
        for (name, group) in &config.groups {
            // One that has just been told to end, and is in the configuration again, reads that and goes on.
            let is_watched = self.watches.contains_key(name);
            if group.every.is_some() && !is_watched {
                let task = self.start_watch(name);
                self.watches.insert(name.clone(), task);
            }
        }
    }

    fn start_watch(&self, name: &str) -> JoinHandle<()> {
        let means = Arc::clone(&self.means);
        let reload = self.reload.subscribe();
        tokio::spawn(watching::run(name.to_owned(), means, reload))
    }
}

fn means(state: &Arc<DaemonState>) -> Means {
    let live = Arc::clone(state);
    Means {
        // Never a stored result: a watch counts how often in a row its checks pass or fail.
        runner: Arc::new(state.checker.fresh()),
        // Asked for each time, as a reload replaces it.
        context: Box::new(move || Arc::clone(&live.live().context)),
        states: Arc::clone(state.checker.groups()),
        spool: Some(state.gate.spool().clone()),
    }
}

/// The addresses that groups listen on, with the groups' names.
fn wanted_listeners(config: &Config) -> Vec<(SocketAddr, String)> {
    let groups = config.groups.iter();
    let wanted = groups.filter_map(|(name, group)| Some((group.listen?, name.clone())));
    wanted.collect()
}

fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip(), other.ip());
    // Of both families: a socket on [::] takes connections to IPv4 addresses too (ipv6(7), bindv6only).
    let share_addresses = a == b || a.is_unspecified() || b.is_unspecified();
    one.port() == other.port() && share_addresses
}

/// Answers any URL with the state of one group, for balancers that can ask for only one thing.
#[derive(Clone)]
struct GroupHandler {
    state: Arc<DaemonState>,
    name: ServiceName,
}

impl Handler for GroupHandler {
    fn admits(&self, poller: IpAddr) -> bool {
        self.state.admits(poller)
    }

    fn takes_proxy_header(&self, peer: IpAddr) -> bool {
        self.state.takes_proxy_header(peer)
    }

    async fn handle(
        &self,
        request: Box<Request<Incoming>>,
        poller: SocketAddr,
        arrived: Instant,
    ) -> Reply {
        let state = &self.state;
        let path = self.path(request.uri().query());
        // One configuration for the whole poll, whatever a reload puts in force meanwhile.
        let live = state.live();
        let from = poller.ip().to_canonical();
        let (face, headers) = (Face::GroupListener, request.headers());
        let mut poll = Poll::new(face, from, &path, headers, &live, arrived);
        let verdict = poll.decide(state, &live).await;
        let reply = group_reply(&verdict, &live.config);
        let code = reply.status().as_u16();
        // This handler answers by itself, so it counts for itself too.
        state.counters.answered(code, arrived.elapsed());
        poll.answered(state, &verdict, code);
        reply
    }
}

impl GroupHandler {
    /// The check of the group, whatever path is asked for.
    fn path<'q>(&self, query: Option<&'q str>) -> CheckPath<'q> {
        CheckPath {
            protocol: Protocol::find(GROUP),
            service: self.name.clone(),
            port: Some(0),
            rest: "",
            query,
        }
    }
}

fn group_reply(verdict: &Verdict, config: &Config) -> Reply {
    match (verdict, verdict.outcome()) {
        (Verdict::Down(_), _) => answer::http(verdict, config),
        (_, Some(outcome)) if !outcome.passes() => failed(outcome),
        _ => reply::text(StatusCode::OK, "OK"),
    }
}

/// As health-checker answers, and what failed.
fn failed(outcome: &Outcome) -> Reply {
    let why = String::from_utf8_lossy(&outcome.body);
    reply::text(
        StatusCode::GATEWAY_TIMEOUT,
        format!("At least one health check failed\n\n{why}"),
    )
}
