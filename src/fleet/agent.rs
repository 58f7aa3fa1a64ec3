//! The daemon's side of the fleet: a session with the engine that learns the orders, puts them into force, and reports.
//!
//! Rules: no poller waits for anything here; it has a thread of its own. A session that fails is begun anew at the next
//! member, later and later. Nothing is lifted because a session ended, or because the engine says nothing.

mod boot;
mod session;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::engine::{Access, Engine, EngineError};
use super::figures::FleetFigures;
use super::held::Held;
use super::order::{jittered, random_word};
use super::settings::FleetSettings;
use super::{Alive, Paths, Report};
use crate::names::Key;
use crate::spool::{Gate, unix_now};
use session::Session;

/// The first wait after a session failed; each further one is twice as long.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// A session that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(60);

/// What the agent asks the daemon.
pub trait HostView: Send + Sync {
    /// Where the daemon answers.
    fn address(&self) -> (String, u16);

    /// The services that are polled, sorted.
    fn services(&self) -> Vec<String>;

    /// The downtimes in force, of every origin: of a key that has one of this host and one of the fleet, this host's own,
    /// which is what an operator looks for. It may take as long as the file system does.
    fn downtimes(&self) -> BTreeMap<Key, Report>;
}

/// The agent.
pub struct Agent {
    settings: FleetSettings,
    host: String,
    paths: Paths,
    held: Held,
    view: Arc<dyn HostView>,
    figures: Arc<FleetFigures>,
    alive: Alive,
    /// When it began, in seconds of unix time.
    since: f64,
}

impl Agent {
    /// Reads what this host held before. Nothing is connected yet.
    #[must_use]
    pub fn new(
        settings: FleetSettings,
        gate: Arc<Gate>,
        view: Arc<dyn HostView>,
        figures: Arc<FleetFigures>,
    ) -> Self {
        let host = settings.host_name();
        let held = Held::load(&host, &settings.tags, gate);
        let agent = Self {
            paths: settings.paths(),
            settings,
            host,
            held,
            view,
            figures,
            alive: boot::alive(),
            since: unix_now(),
        };

        agent.wait_after_boot();
        agent
    }

    fn wait_after_boot(&self) {
        let longest = self.settings.boot_wait;
        // Only after a boot: a daemon that is restarted must not take a host down that was up all the time.
        if !longest.is_zero() && self.held.is_new_boot(&self.alive.boot) {
            self.held.wait_until(self.since + longest.as_secs_f64());
        }
    }

    /// Holds session after session, for ever.
    pub async fn run(mut self) {
        let mut wait = WAIT_MIN;
        // Drawn, so that hosts spread over the members.
        let mut next_member = usize::from(random_word());
        loop {
            let begun = tokio::time::Instant::now();
            let Err(ended) = self.session(&mut next_member).await;
            // Else a member that takes connections and ends them at once would be asked twenty times a second.
            if begun.elapsed() >= GOOD {
                wait = WAIT_MIN;
            }

            self.note_end(&ended, wait);
            self.rest(jittered(wait)).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    /// One session, which ends only by an error.
    async fn session(&mut self, next_member: &mut usize) -> Result<Infallible, EngineError> {
        // Read again for each session, as certificates are renewed.
        let access = Access::of_daemon(&self.settings)?;
        let mut engine = Engine::beginning_at(access, *next_member);
        // The next session begins at another member: the one that failed may fail for a while.
        *next_member = next_member.wrapping_add(1);
        let session = engine.connect().await?;
        Session::new(self, &session).run().await
    }

    fn note_end(&self, ended: &EngineError, wait: Duration) {
        let mut figures = self.figures.lock();
        let was_connected = std::mem::replace(&mut figures.connected, false);
        *figures.sessions.entry(ended.kind()).or_default() += 1;
        // Once for each outage, and not with each try.
        match was_connected || wait == WAIT_MIN {
            true => log::warn!("fleet: {ended}; what was ordered is held, trying again"),
            false => log::debug!("fleet: {ended}; trying again"),
        }
    }

    /// Waits; orders end and are waived meanwhile, too.
    async fn rest(&mut self, time: Duration) {
        self.held.look();
        self.show_held();
        tokio::time::sleep(time).await;
    }

    /// What is held, for metrics and pages.
    fn show_held(&self) {
        let mut figures = self.figures.lock();
        figures.held = self.held.held().len();
        figures.waived = self.held.waived().len();
        figures.unknown = self.held.unknown();
        figures.problems = self.held.problems();
    }
}
