//! One check without a daemon, by the daemon's own way from the poll to the verdict, for `hacheck probe`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, StatusCode, Uri};

use super::error::{SetupError, StartError};
use super::poll::decide::{Verdict, decide};
use super::poll::refusal::Refusal;
pub(crate) use super::poll::refusal::unknown_protocol;
pub(crate) use super::poll::route::SPOOL;
use super::poll::route::{self, CheckPath, Route};
use super::poll::{Poll, answer};
use super::state::Live;
use super::tokens::Tokens;
use super::{fleet, own_name};
use crate::check::{Checker, Observer};
use crate::config::Config;
use crate::ledger::Face;
use crate::probe::{Check, Outcome, Step, Trace};
use crate::spool::{ALL, Gate, Key, Spool, SpoolError};

/// What the daemon would answer, and how it comes about.
#[derive(Debug)]
pub struct ProbeAnswer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
    /// Why, in one sentence.
    pub why: String,
    /// What the probe did, step by step.
    pub steps: Vec<Step>,
    /// Whether the check passes.
    pub passes: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum OnceError {
    /// The daemon would not take the path: what is wrong with it.
    Path(String),
    /// The configuration cannot be put to use.
    Setup(SetupError),
    /// A part of the daemon cannot be started.
    Start(StartError),
    /// The spool cannot be read.
    Spool(SpoolError),
}

impl fmt::Display for OnceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(why) => f.write_str(why),
            Self::Setup(e) => e.fmt(f),
            Self::Start(e) => e.fmt(f),
            Self::Spool(e) => e.fmt(f),
        }
    }
}

/// Asks for a path, such as `/http/web/8080/health`, with the headers of a poller.
///
/// # Errors
/// [`OnceError`] when a daemon could not even begin.
pub fn ask(
    path: &str,
    headers: &HeaderMap,
    config: Config,
    spool: &Spool,
) -> Result<ProbeAnswer, OnceError> {
    let uri = parse_uri(path)?;
    let check = check_path(&uri)?;
    let own = own_name::learn();
    let memory = super::memory(&config);
    // Who asks here needs no right to read the tokens.
    let live = Live::new(config, Tokens::default(), &own, &memory).map_err(OnceError::Setup)?;
    // As a poller on this host.
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let now = Instant::now();
    let poll = Poll::new(Face::Http, here, &check, headers, &live, now);
    run(&poll, &live, spool)
}

fn parse_uri(path: &str) -> Result<Uri, OnceError> {
    let uri = path.parse::<Uri>();
    uri.map_err(|e| OnceError::Path(format!("'{path}' cannot be asked for: {e}")))
}

fn check_path(uri: &Uri) -> Result<CheckPath<'_>, OnceError> {
    let why = match route::parse(&Method::GET, uri.path(), uri.query()) {
        Ok(Route::Check(check)) => return Ok(check),
        Ok(_) | Err(Refusal::NotFound | Refusal::Method(_)) => {
            format!("'{uri}' is no check; service names are letters, digits, '.', '_', '-'")
        }
        Err(Refusal::Protocol(name)) => unknown_protocol(&name),
        Err(Refusal::Name(e)) => e.to_string(),
        Err(Refusal::Port) => "the port must be 0 to 65535".into(),
    };
    Err(OnceError::Path(why))
}

/// The probe that was run; of a group, the group's own run, which ends after its checks.
#[derive(Debug, Default)]
struct LastProbe {
    /// What came of it, in one sentence.
    result: String,
    steps: Vec<Step>,
}

fn run(poll: &Poll, live: &Live, spool: &Spool) -> Result<ProbeAnswer, OnceError> {
    let last = Arc::new(Mutex::new(LastProbe::default()));
    let checker = Checker::new(&live.config.check, noting(&last)).tracing();
    let ordered = fleet::spool(&live.config).map_err(OnceError::Start)?;
    let gate = gate(spool, ordered.as_ref());
    let runtime = super::runtime().map_err(OnceError::Start)?;
    let verdict = runtime.block_on(decide(poll, live, &gate, &checker));
    // Name look-ups may hang in threads of the runtime.
    runtime.shutdown_background();
    if gate.errors() > 0 {
        all_readable(poll, live, spool).map_err(OnceError::Spool)?;
    }

    let why = |result| why(&verdict, result, spool, ordered.as_ref());
    Ok(probe_answer(&verdict, taken(&last), &why))
}

/// The gates of both spools.
fn gate(spool: &Spool, ordered: Option<&Spool>) -> Gate {
    // Not opened as the daemon's: a look must not make the folder.
    let gate = Gate::new(spool.clone());
    match ordered {
        Some(ordered) => gate.with_fleet(Arc::new(Gate::new(ordered.clone()))),
        None => gate,
    }
}

fn probe_answer(
    verdict: &Verdict,
    probe: LastProbe,
    why: &dyn Fn(String) -> String,
) -> ProbeAnswer {
    let (status, body) = answer::content(verdict);
    ProbeAnswer {
        status,
        body,
        why: why(probe.result),
        steps: probe.steps,
        passes: verdict.passes(),
    }
}

fn taken(last: &Mutex<LastProbe>) -> LastProbe {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *last)
}

/// An observer that keeps the last probe.
fn noting(last: &Arc<Mutex<LastProbe>>) -> Arc<Observer> {
    let last = Arc::clone(last);
    Arc::new(move |check, outcome, trace| {
        let probe = LastProbe {
            result: result(check, outcome, trace),
            steps: trace.steps(),
        };
        *last.lock().unwrap_or_else(PoisonError::into_inner) = probe;
    })
}

/// An entry that cannot be read may be a downtime: an answer without it would be a guess.
fn all_readable(poll: &Poll, live: &Live, spool: &Spool) -> Result<(), SpoolError> {
    let mut names = poll.entries(live, false);
    names.push(ALL.to_owned());
    // Names of the daemon's own making are keys.
    for key in names.iter().filter_map(|name| Key::parse(name).ok()) {
        spool.read(&key)?;
    }

    Ok(())
}

fn why(verdict: &Verdict, result: String, spool: &Spool, ordered: Option<&Spool>) -> String {
    let root = spool.root();
    match verdict {
        Verdict::Down(closed) => {
            let entry = path_of_entry(&closed.entry, root, ordered);
            format!("the spool entry {} takes it down", entry.display())
        }
        Verdict::Refused(_) => "it was refused before a probe".to_owned(),
        Verdict::Open {
            outcome: Some(outcome),
            ..
        } => cause_or(outcome, result),
        Verdict::Open { outcome: None, .. } => {
            format!("nothing in {} takes it down", root.display())
        }
    }
}

/// Where an entry is: in this host's own spool, or else in the fleet's.
fn path_of_entry(entry: &str, root: &Path, ordered: Option<&Spool>) -> PathBuf {
    let own = root.join(entry);
    match ordered {
        Some(ordered) if own.symlink_metadata().is_err() => ordered.root().join(entry),
        _ => own,
    }
}

fn cause_or(outcome: &Outcome, result: String) -> String {
    match &outcome.cause {
        Some(cause) => cause.to_string(),
        None => result,
    }
}

fn subject(Check { protocol, target }: &Check) -> String {
    if protocol.needs_port() {
        format!("{} {}:{}", protocol.name, target.host, target.port)
    } else {
        format!("{} {}", protocol.name, target.service)
    }
}

/// `tcp 127.0.0.1:22 passes, after 0.00s`.
fn result(check: &Check, outcome: &Outcome, trace: &Trace) -> String {
    let subject = subject(check);
    let word = if outcome.passes() { "passes" } else { "fails" };
    // Or somebody would look in hacheck for what the service says.
    let origin = match outcome.ours {
        true => "",
        false => ", and this is its own answer",
    };
    format!("{subject} {word}, after {}{origin}", trace.elapsed())
}
