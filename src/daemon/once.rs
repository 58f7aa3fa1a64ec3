//! One check without a daemon, by the same routes, headers, spool and probes, for `hacheck probe`.

use std::sync::Arc;

use hyper::header::HeaderMap;
use hyper::{Method, StatusCode, Uri};

use super::route::{self, Refusal, Route};
use super::state::Live;
use super::{entries, handler, target};
use crate::config::Config;
use crate::group::{self, Alone};
use crate::os::sys::LocalAddresses;
use crate::probe::{Outcome, Protocol, Step, Target, Trace};
use crate::spool::{ALL, Downtime, Key, Mark, Spool, SpoolError};

/// What the daemon would answer, and how it comes about.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Vec<u8>,
    /// Why, in one sentence.
    pub why: String,
    /// What the probe did, step by step.
    pub steps: Vec<Step>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum OnceError {
    /// The daemon would not take the path: what is wrong with it.
    Path(String),
    /// A part of the daemon cannot be set up.
    Setup(String),
}

/// Asks for a path, such as `/http/web/8080/health`, with the headers of a poller.
///
/// # Errors
/// [`OnceError`] when a daemon could not even begin.
pub fn ask(
    path: &str,
    headers: &HeaderMap,
    mut config: Config,
    spool: &Spool,
) -> Result<Answer, OnceError> {
    let uri: Uri = path
        .parse()
        .map_err(|e| OnceError::Path(format!("'{path}' cannot be asked for: {e}")))?;
    let check = match route::parse(&Method::GET, uri.path()) {
        Ok(Route::Check(check)) => check,
        Ok(_) | Err(Refusal::NotFound | Refusal::Method(_)) => {
            return Err(OnceError::Path(format!(
                "'{path}' is no check; service names are letters, digits, '.', '_', '-'"
            )));
        }
        Err(Refusal::Name(e)) => return Err(OnceError::Path(e.to_string())),
        Err(Refusal::Port) => return Err(OnceError::Path("the port must be 0 to 65535".into())),
    };
    let own = Arc::new(LocalAddresses::default());
    own.look_up_own_name();
    // Who asks here needs no right to read the tokens.
    config.daemon.remote_spool_tokens.clear();
    let live = Live::new(config, &own).map_err(OnceError::Setup)?;
    let asked = target::read(&check, headers, &*own);
    let entries = entries::names(
        &check.service,
        asked.place.as_ref().ok(),
        asked.typed.as_deref(),
        &*own,
    );
    let names = std::iter::once(ALL.to_owned()).chain(entries);
    let weights = live.config.daemon.agent_weights;
    if let Some((name, downtime)) =
        first_down(spool, names, weights).map_err(|e| OnceError::Setup(e.to_string()))?
    {
        let shown = if name == ALL {
            ALL
        } else {
            check.service.as_str()
        };
        let why = format!(
            "the spool entry {} takes it down",
            spool.root().join(&name).display()
        );
        return Ok(Answer {
            status: handler::down_status(&downtime),
            body: downtime.body(shown).into_bytes(),
            why,
            steps: Vec::new(),
        });
    }
    let Some(protocol) = check.protocol else {
        let why = format!("nothing in {} takes it down", spool.root().display());
        return Ok(Answer {
            status: StatusCode::OK,
            body: Vec::new(),
            why,
            steps: Vec::new(),
        });
    };
    let target = asked
        .place
        .and_then(|place| target::build(&check, protocol, place, &uri, headers, &live.config));
    let target = match target {
        Ok(target) => target,
        Err(refused) => {
            return Ok(answer(
                &refused,
                "it was refused before a probe".into(),
                Vec::new(),
            ));
        }
    };
    let trace = Trace::start(true);
    let runtime = super::runtime().map_err(OnceError::Setup)?;
    let outcome = runtime.block_on(group::check_as(
        None,
        &Alone,
        protocol,
        &target,
        &live.context,
        &trace,
    ));
    runtime.shutdown_background();
    let why = outcome.cause.as_ref().map_or_else(
        || verdict(protocol, &target, &outcome, &trace),
        ToString::to_string,
    );
    Ok(answer(&outcome, why, trace.steps()))
}

/// `tcp 127.0.0.1:22 passes, after 0.00s`.
fn verdict(protocol: &Protocol, target: &Target, outcome: &Outcome, trace: &Trace) -> String {
    let subject = match protocol.needs_port() {
        true => format!("{} {}:{}", protocol.name, target.host, target.port),
        false => format!("{} {}", protocol.name, target.service),
    };
    let word = if outcome.passes() { "passes" } else { "fails" };
    let relayed = if outcome.ours {
        ""
    } else {
        ", and this is its own answer"
    };
    format!("{subject} {word}, after {}{relayed}", trace.elapsed())
}

fn answer(outcome: &Outcome, why: String, steps: Vec<Step>) -> Answer {
    Answer {
        status: outcome.status,
        body: outcome.body.to_vec(),
        why,
        steps,
    }
}

/// The downtime that counts: one that is told as usual before a soft one. Drains are left out where weights tell them.
fn first_down(
    spool: &Spool,
    names: impl Iterator<Item = String>,
    weights: bool,
) -> Result<Option<(String, Downtime)>, SpoolError> {
    let mut soft = None;
    for name in names {
        // Names of the daemon's own making are keys.
        let Ok(key) = Key::parse(&name) else { continue };
        match spool.read(&key) {
            Ok(Some(downtime)) if weights && downtime.mark() == Some(Mark::Drain) => {}
            Ok(Some(downtime)) if downtime.mark() == Some(Mark::Soft) => {
                soft = soft.or(Some((name, downtime)));
            }
            Ok(Some(downtime)) => return Ok(Some((name, downtime))),
            Ok(None) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(soft)
}
