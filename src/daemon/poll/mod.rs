//! One poll, from the request to the answer, whichever face of the daemon it comes by.
//!
//! [`route`] finds the check that a path names, [`headers`] reads what the balancer says, [`target`] puts both together
//! to what is probed, [`entries`] names the spool entries that can take it down; that makes a [`Poll`]. [`decide()`] gives
//! its [`Verdict`], [`answer`] is that over HTTP, [`note`] remembers both, and [`news`] puts what has changed into words.
//! [`refusal`] is for what leads nowhere.
//!
//! Rule: every face makes a [`Poll`], and all of them are decided by the same function.

pub(super) mod answer;
pub(super) mod decide;
pub(super) mod entries;
pub(super) mod headers;
pub(super) mod named;
mod news;
mod note;
pub(super) mod refusal;
pub(super) mod route;
pub(super) mod target;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::header::HeaderMap;

use self::decide::{Verdict, decide};
use self::headers::Said;
use self::route::CheckPath;
use super::state::{DaemonState, Live};
use crate::config::Config;
use crate::ledger::{AskedCheck, Face, Poller, Stated};
use crate::net::Host;
use crate::probe::{Asker, Check, Outcome, Request};
use crate::spool::unix_now;

/// One poll.
#[derive(Debug)]
pub(super) struct Poll {
    /// Who asks, and for which check.
    pub(super) poller: Arc<Poller>,
    /// What the balancer says of itself.
    pub(super) stated: Stated,
    /// What is asked besides the spool.
    pub(super) asked: Asked,
    /// Neither a stored result nor a probe under way will do.
    pub(super) fresh: bool,
    /// When it came.
    pub(super) arrived: Instant,
    /// The same in seconds of unix time.
    unix: f64,
    /// Its poller has sent the same request at a steady pace. Known from [`Poll::decide`] on.
    pub(super) established: bool,
}

/// What a poll asks besides the spool.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nothing.
    Nothing,
    /// A check.
    Check(Check),
    /// A check that cannot be made a target: the answer.
    Refused(Outcome),
    /// A check of a place that cannot be, such as a port above 65535: the answer, which says nothing of the service.
    NoPlace(Outcome),
}

impl Poll {
    /// Puts together what a request says.
    pub(super) fn new(
        face: Face,
        address: IpAddr,
        path: &CheckPath<'_>,
        headers: &HeaderMap,
        live: &Live,
        arrived: Instant,
    ) -> Self {
        let mut said = Said::read(headers);
        if !live.config.probe.compat.lets_headers_name_places() {
            said.forget_place();
        }

        let place = target::place(path, &said, &live.own);
        let asked = Asked::new(path, place.clone(), headers, &live.config);
        // The refusal of a place that cannot be is in `asked` now.
        let place = place.ok();
        let stated = Stated {
            // A host that cannot be checked names no spool entry either.
            host: said.host.filter(|_| place.is_some()).map(Into::into),
            outside: !live.config.daemon.is_poller(address),
            ..said.stated
        };

        let poller = Poller {
            service: path.service.clone(),
            check: asked.in_ledger(face, path, place),
            address,
            node: said.node,
            server: said.server,
            user_agent: said.user_agent,
        };

        Self {
            poller: Arc::new(poller),
            stated,
            asked,
            fresh: said.fresh,
            arrived,
            unix: unix_now(),
            established: false,
        }
    }

    /// The check, where one is to be run.
    pub(super) fn check(&self) -> Option<&Check> {
        match &self.asked {
            Asked::Check(check) => Some(check),
            Asked::Nothing | Asked::Refused(_) | Asked::NoPlace(_) => None,
        }
    }

    /// Whether it says anything of the service.
    pub(super) fn counts(&self) -> bool {
        // A slip in the request of somebody is no change of the service's state.
        !matches!(self.asked, Asked::NoPlace(_))
    }

    /// For whom its check is run.
    fn asker(&self) -> Asker {
        match self.established {
            true => Asker::Established(self.poller.address),
            false => Asker::Stranger(self.poller.address),
        }
    }

    /// The names of the spool entries that can take the check down, besides `all`, in the order to ask; `leads_here` when
    /// the look-up of the host's name led to this host.
    pub(super) fn entries(&self, live: &Live, leads_here: bool) -> Vec<String> {
        entries::names(&self.poller, &self.stated, live.this_host(), leads_here)
    }

    /// Notes that it was asked, and decides it. What it is answered is to be noted with [`Poll::answered`].
    pub(super) async fn decide(&mut self, state: &DaemonState, live: &Live) -> Verdict {
        // Before the check, which may take long: whoever waits for its answer polls all the same.
        self.established = self.counts() && note::asked(state, self);
        decide(self, live, &state.gate, &state.checker).await
    }

    /// Notes the answer; the code is 0 where there is none.
    pub(super) fn answered(&self, state: &DaemonState, verdict: &Verdict, code: u16) {
        note::answered(state, self, verdict, code);
    }
}

impl Asked {
    fn new(
        path: &CheckPath<'_>,
        place: Result<(Host, u16), Outcome>,
        headers: &HeaderMap,
        config: &Config,
    ) -> Self {
        let Some(protocol) = path.protocol else {
            return Self::Nothing;
        };

        let place = match place {
            Err(refused) => return Self::NoPlace(refused),
            Ok(place) => place,
        };

        match target::build(path, protocol, place, headers, config) {
            Err(refused) => Self::Refused(refused),
            Ok(target) => Self::Check(Check {
                protocol,
                target: Arc::new(target),
            }),
        }
    }

    /// The check as the ledger tells it from others.
    fn in_ledger(
        &self,
        face: Face,
        path: &CheckPath<'_>,
        place: Option<(Host, u16)>,
    ) -> AskedCheck {
        let protocol = path.protocol.map(|protocol| protocol.name);
        let variant = self.variant();
        AskedCheck::new(face, protocol, self.segment(), variant.as_deref(), place)
    }

    /// What else of the request decides the result: the path, or the options in one spelling. A query string that
    /// reaches the target is none of it: where it changes with each poll, each would be a poller of its own.
    fn variant(&self) -> Option<Cow<'_, str>> {
        let Self::Check(check) = self else {
            return None;
        };

        match check.protocol.request {
            Request::Whole | Request::Path => Some(check.target.bare_path().into()),
            Request::Options(read) => read(check.target.query()).ok().map(Cow::from),
            Request::Segment | Request::Ignored => None,
        }
    }

    /// The part of the path that decides what is checked, where there is one.
    fn segment(&self) -> Option<&str> {
        match self {
            Self::Check(check) if matches!(check.protocol.request, Request::Segment) => {
                Some(check.target.segment())
            }
            _ => None,
        }
    }
}
