//! Waiting until every load balancer has acted.
//!
//! Who counts is settled on the daemon's clock: the ledger is read right before the change, and
//! everyone who polled within the last three of its own intervals counts from then on, and whoever
//! polls later. Answers count from the first look after the change. A person who looks once or
//! twice, with curl or a browser, is no poller.
//!
//! Rule: a poller that counts once counts until the end, also when it falls silent or the daemon is
//! restarted.

pub(crate) mod acted;
mod balancers;
pub(crate) mod guard;
mod healthy;
pub(crate) mod interrupt;
pub(crate) mod limits;
pub(crate) mod progress;
pub(crate) mod seen;

use std::fmt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::cli::client::{self, ANSWER_TIME, DaemonClient, DaemonError};
use crate::cli::failure::Failure;
use crate::ledger::PollersPage;
use crate::spool::{Key, Spool};
use acted::{Goal, Rules};
use balancers::Balancers;
use interrupt::Interrupt;
use limits::WaitLimits;
use progress::Progress;

/// How often the daemon is asked, while its answers are short.
const EVERY: Duration = Duration::from_millis(100);

/// How long a daemon must have run before its list of pollers counts as complete, in seconds.
const SETTLED: f64 = 30.0;

/// Why a wait ended before its goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unfinished {
    /// The daemon could not be asked before the change, so who counts is unknown.
    NotBegun(DaemonError),
    /// The downtime of this service was lifted, or has expired.
    DowntimeEnded(Key),
    Interrupted {
        signal: Signal,
        missing: String,
    },
    TimeUp {
        limit: Duration,
        missing: String,
    },
    NotHealthy {
        limit: Duration,
        why: String,
    },
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBegun(error) => error.fmt(f),
            Self::DowntimeEnded(key) => write!(
                f,
                "the downtime of {key} has ended meanwhile: it was lifted, or its time is over"
            ),
            Self::Interrupted { signal, missing } => {
                write!(f, "interrupted ({}): {missing}", signal.as_str())
            }
            Self::TimeUp { limit, missing } => {
                write!(f, "not within {} s: {missing}", limit.as_secs_f64())
            }
            Self::NotHealthy { limit, why } => {
                write!(f, "not healthy within {} s: {why}", limit.as_secs_f64())
            }
        }
    }
}

impl From<Unfinished> for Failure {
    fn from(unfinished: Unfinished) -> Self {
        Self::failed(unfinished)
    }
}

/// Waits for what the balancers make of some services.
pub(crate) struct Waiter {
    pub(crate) client: DaemonClient,
    pub(crate) spool: Spool,
    /// The services or instances.
    pub(crate) keys: Vec<Key>,
    /// Their names, to ask the daemon about.
    pub(crate) names: Vec<String>,
    pub(crate) limits: WaitLimits,
    pub(crate) interrupt: Interrupt,
    pub(crate) progress: Progress,
}

/// When a wait ends at the latest.
#[derive(Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

impl Waiter {
    /// From here on, signals that ask for an end are looked at between two steps.
    pub(crate) fn new(
        program: &str,
        client: DaemonClient,
        spool: Spool,
        keys: Vec<Key>,
        limits: WaitLimits,
    ) -> Result<Self, Failure> {
        Ok(Self {
            client,
            spool,
            names: client::names(&keys),
            keys,
            limits,
            interrupt: Interrupt::hold()?,
            progress: Progress::new(program),
        })
    }

    /// What the daemon says of the pollers right now.
    pub(crate) fn pollers(&self) -> Result<PollersPage, DaemonError> {
        self.client.pollers(&self.names, ANSWER_TIME)
    }

    /// Waits after a change; `before` is what the daemon said right before it.
    pub(crate) fn until_acted(
        &mut self,
        goal: Goal,
        before: Result<PollersPage, DaemonError>,
    ) -> Result<(), Unfinished> {
        let before = before.map_err(Unfinished::NotBegun)?;
        let deadline = self.deadline();
        let rules = Rules::new(goal, self.limits.polls);
        let mut balancers = Balancers::new(&before, rules);
        if let Some(forgotten) = forgotten(&balancers) {
            self.progress.say(&forgotten);
        }
        loop {
            let asked = Instant::now();
            if self.look(&mut balancers, deadline) {
                return Ok(());
            }
            // Looked at last: where all have acted, a downtime that ends later is no failure.
            if let Some(key) = self.ended_downtime(goal) {
                return Err(Unfinished::DowntimeEnded(key.clone()));
            }
            self.check_end(&balancers, deadline)?;
            // A daemon with many pollers is not kept busy by those who ask about them.
            let pause = EVERY.max(asked.elapsed() * 4);
            std::thread::sleep(pause.min(deadline.left()));
        }
    }

    fn deadline(&self) -> Deadline {
        Deadline(Instant::now() + self.limits.timeout)
    }

    /// Asks the daemon once and shows the answer; whether the goal is reached.
    fn look(&mut self, balancers: &mut Balancers, deadline: Deadline) -> bool {
        // The last look gets a little time, too, however late it comes.
        let limit = deadline.left().max(EVERY).min(ANSWER_TIME);
        match self.client.pollers(&self.names, limit) {
            Ok(page) => {
                balancers.take(&page);
                self.show(balancers, &page)
            }
            Err(e) => {
                // A daemon that is being restarted comes back; it is told once, and waited for.
                if balancers.trouble.is_none() {
                    self.progress.say(&format!("{e} (still waiting)"));
                }
                balancers.trouble = Some(e);
                false
            }
        }
    }

    /// Shows where the balancers stand; whether the goal is reached.
    fn show(&mut self, balancers: &Balancers, page: &PollersPage) -> bool {
        if balancers.known() == 0 && balancers.forgotten > 0 {
            // Who is forgotten is known again by its next poll.
            return false;
        }
        if balancers.known() == 0 && self.limits.min_pollers == 0 {
            self.progress.say(&nobody_polls(page));
            return true;
        }
        let standings = balancers.standings();
        self.progress.show(&standings);
        let all_done = standings.iter().all(|balancer| balancer.standing.is_done());
        all_done && balancers.known() >= self.limits.min_pollers
    }

    /// A downtime that should hold while the balancers take the server out, and does not.
    fn ended_downtime(&self, goal: Goal) -> Option<&Key> {
        match goal {
            Goal::Up => None,
            Goal::Out | Goal::Drained => {
                let is_up = |key: &&Key| matches!(self.spool.read(key), Ok(None));
                self.keys.iter().find(is_up)
            }
        }
    }

    /// Ends the wait where somebody interrupts it, or time is up.
    fn check_end(&self, balancers: &Balancers, deadline: Deadline) -> Result<(), Unfinished> {
        if let Some(signal) = self.interrupt.came() {
            let missing = self.missing(balancers);
            return Err(Unfinished::Interrupted { signal, missing });
        }
        if deadline.left().is_zero() {
            let limit = self.limits.timeout;
            let missing = self.missing(balancers);
            return Err(Unfinished::TimeUp { limit, missing });
        }
        Ok(())
    }

    /// Who has not acted, and why.
    fn missing(&self, balancers: &Balancers) -> String {
        let mut reasons = balancers.waiting();
        let (known, wanted) = (balancers.known(), self.limits.min_pollers);
        if known < wanted {
            reasons.push(format!("{known} of {wanted} load balancers are known"));
        }
        if known == 0 {
            reasons.extend(forgotten(balancers));
        }
        if let Some(trouble) = &balancers.trouble {
            reasons.push(trouble.to_string());
        }
        reasons.join("\n  ")
    }
}

/// Says that a load balancer may be unknown, where that may be.
fn forgotten(balancers: &Balancers) -> Option<String> {
    let forgotten = balancers.forgotten;
    (forgotten > 0).then(|| {
        format!(
            "hacheck has forgotten {forgotten} pollers for want of room, the last within the hour: a load balancer that it \
             forgot is not waited for until it polls again; max_pollers and pollers_from make room"
        )
    })
}

fn nobody_polls(page: &PollersPage) -> String {
    if page.now < SETTLED {
        format!(
            "no load balancer is known to poll it, but hacheck has been running for {:.0} s only; \
             --min-pollers waits for them",
            page.now
        )
    } else {
        "no load balancer polls it".to_owned()
    }
}
