//! The roll itself: one loop that begins hosts, and looks at the engine.
//!
//! Rules: nothing in it waits for whoever reads. The engine alone tells how a host ended. Once the lock may be lost, or
//! somebody pressed Ctrl-C, no host begins; those that have begun are waited for.

use std::time::{Duration, Instant};

use super::begin::{self, BegunRoll, RollPlan};
use super::lock::HeldLock;
use super::out::OutHosts;
use super::screen::RollScreen;
use super::tasks::RollTasks;
use super::{json, told};
use crate::cli::applet::Call;
use crate::cli::failure::Failure;
use crate::cli::fleet::client::FleetClient;
use crate::cli::output::entries::OutputFormat;
use crate::cli::wait::interrupt::Interrupt;
use crate::fleet::Snapshot;
use crate::fleet::engine::Found;
use crate::fleet::rolling::{HostStanding, Next, Over};

/// How often is looked whether something has ended.
const TICK: Duration = Duration::from_millis(50);

/// For how long nothing may begin until that is told: a host reports a little later than it ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the engine is looked at: each host takes 10 ms of it, as where a host waits for its slot.
fn pause(hosts: usize) -> Duration {
    let hosts = u64::try_from(hosts).unwrap_or(u64::MAX);
    let millis = hosts.saturating_mul(10);
    Duration::from_millis(millis.clamp(1000, 60_000))
}

/// A roll that runs.
pub(super) struct RunningRoll<'a> {
    client: &'a mut FleetClient,
    interrupt: &'a Interrupt,
    screen: RollScreen,
    lock: HeldLock,
    pub(super) plan: RollPlan,
    pub(super) tasks: RollTasks,
    pub(super) refused: Vec<String>,
    pub(super) snapshot: Snapshot,
    pub(super) out: OutHosts,
    pub(super) began: Instant,
    /// When the engine is looked at next.
    due: Instant,
    /// The engine did not answer the last look.
    is_blind: bool,
    blocked: Blocked,
    is_interrupted: bool,
    /// By the second signal.
    is_left: bool,
    /// Why no host begins any more, though some could.
    pub(super) stopped: Option<String>,
    pub(super) over: Option<Over>,
}

/// Since when nothing may begin, and whether that was told.
enum Blocked {
    No,
    Since(Instant),
    Told,
}

/// Rolls all hosts, and tells how it went.
pub(super) fn run(
    call: &Call,
    client: &mut FleetClient,
    begun: BegunRoll,
    interrupt: &Interrupt,
    format: OutputFormat,
) -> Result<u8, Failure> {
    let screen = RollScreen::new(&call.program, format == OutputFormat::Json)?;
    let mut roll = RunningRoll::new(client, begun, interrupt, screen);
    roll.run();
    // Before the last lines: whoever reads them may take their time.
    roll.lock.release(roll.client);
    roll.screen.finish(interrupt, roll.is_left);
    if format == OutputFormat::Json {
        json::print(&roll)?;
    }
    told::end(call, &roll)
}

impl<'a> RunningRoll<'a> {
    fn new(
        client: &'a mut FleetClient,
        begun: BegunRoll,
        interrupt: &'a Interrupt,
        screen: RollScreen,
    ) -> Self {
        let now = Instant::now();
        Self {
            client,
            interrupt,
            screen,
            lock: begun.lock,
            out: OutHosts::new(&begun.snapshot, &begun.plan, &begun.hosts),
            plan: begun.plan,
            tasks: RollTasks::new(begun.hosts),
            refused: begun.refused,
            snapshot: begun.snapshot,
            began: now,
            due: now,
            is_blind: false,
            // Who is out at the beginning was told with it.
            blocked: Blocked::Told,
            is_interrupted: false,
            is_left: false,
            stopped: None,
            over: None,
        }
    }

    fn run(&mut self) {
        while !self.is_ended_by_signal() {
            self.keep_lock();
            // Who may begin is known by what was just read alone.
            if self.look() {
                self.begin();
            }
            if self.is_over() {
                return;
            }
            self.show();
            std::thread::sleep(TICK);
            self.find_ends();
        }
    }

    /// The first signal keeps others from beginning, the second one ends this.
    fn is_ended_by_signal(&mut self) -> bool {
        let Some(signal) = self.interrupt.came() else {
            return false;
        };
        let under_way = self.tasks.names_under_way();
        if self.is_interrupted {
            self.screen.say(&told::left_alone(&under_way));
            self.is_left = true;
            return true;
        }
        self.is_interrupted = true;
        self.stop(format!("interrupted ({})", signal.as_str()));
        if !under_way.is_empty() {
            self.screen.say(&told::interrupted(signal, &under_way));
        }
        false
    }

    fn keep_lock(&mut self) {
        let lost = self.lock.keep(self.client);
        self.stop_if_lost(lost);
    }

    fn stop_if_lost(&mut self, lost: Option<String>) {
        if let Some(why) = lost {
            let key = &self.plan.record.key;
            self.stop(format!("the lock of {key} is lost: {why}"));
        }
    }

    fn stop(&mut self, why: String) {
        if self.stopped.is_none() {
            self.screen.say(&format!("{why}: no other host begins"));
            self.stopped = Some(why);
        }
    }

    /// Reads the engine when that is due; whether it has.
    fn look(&mut self) -> bool {
        if Instant::now() < self.due {
            return false;
        }
        let ranges = begin::ranges(&self.client.paths, &self.plan.id);
        let looked = self.client.look(&ranges);
        self.due = Instant::now() + pause(self.tasks.hosts.len());
        let was_blind = std::mem::replace(&mut self.is_blind, looked.is_err());
        match looked {
            Ok(found) => self.take(&found),
            Err(_) if was_blind => {}
            Err(e) => self
                .screen
                .say(&format!("{e}; until it answers no host begins")),
        }
        !self.is_blind
    }

    /// Finds out whose part has ended, by what was read.
    fn take(&mut self, found: &Found) {
        let paths = &self.client.paths;
        self.snapshot = Snapshot::read(paths, found);
        let lost = self.lock.check(&self.snapshot);
        let results = begin::results(paths, &self.plan.id, found);
        self.stop_if_lost(lost);
        for host in self.tasks.settle(&self.plan, &self.snapshot, &results) {
            self.tell_end(&host);
        }
        self.out = OutHosts::new(&self.snapshot, &self.plan, &self.tasks.hosts);
    }

    fn tell_end(&mut self, host: &str) {
        if let Some(end) = self.tasks.ends.get(host) {
            self.screen.say(&told::ended(host, end));
        }
    }

    /// Begins hosts for as long as there are some that may.
    fn begin(&mut self) {
        if self.stopped.is_some() || !self.lock.is_sure() {
            return;
        }
        loop {
            match self.out.next(&self.plan, &self.tasks.hosts) {
                Next::Begin(at) => self.begin_host(at),
                Next::Wait => return self.blocked = Blocked::No,
                Next::Blocked => return self.tell_blocked(),
                Next::Over(why) => return self.over = Some(why),
            }
        }
    }

    fn begin_host(&mut self, at: usize) {
        let host = self.tasks.hosts[at].name.clone();
        self.screen.say(&format!("{host}: begins"));
        let how = (&self.plan, &self.client.settings.via);
        if !self
            .tasks
            .begin(at, how, &self.snapshot, self.screen.lines())
        {
            self.tell_end(&host);
        }
    }

    fn tell_blocked(&mut self) {
        match self.blocked {
            Blocked::No => self.blocked = Blocked::Since(Instant::now()),
            Blocked::Since(begin) if begin.elapsed() >= PATIENCE => {
                let head = format!("roll {}", self.plan.id);
                let hosts = &self.tasks.hosts;
                for line in self.out.told(&head, &self.snapshot, &self.plan, hosts) {
                    self.screen.say(&line);
                }
                self.blocked = Blocked::Told;
            }
            Blocked::Since(_) | Blocked::Told => {}
        }
    }

    fn is_over(&self) -> bool {
        let is_ending = self.over.is_some() || self.stopped.is_some();
        // An engine that is away may never tell how they end.
        let is_nobody_heard = self.is_blind && !self.tasks.has_commands();
        is_ending && (self.tasks.under_way.is_empty() || is_nobody_heard)
    }

    /// Whether all hosts are done, also those that were refused.
    pub(super) fn is_done(&self) -> bool {
        let done = self.tasks.count(HostStanding::Done);
        done == self.tasks.hosts.len() && self.refused.is_empty()
    }

    /// Finds the commands that have ended: then the engine is to be looked at.
    fn find_ends(&mut self) {
        if self.tasks.find_ends() {
            self.due = Instant::now();
        }
    }

    fn show(&mut self) {
        if !self.screen.can_redraw() {
            return;
        }
        let mut lines = vec![told::head(self)];
        for task in &self.tasks.under_way {
            let slot = self.snapshot.slot(&task.host, &self.plan.record.key);
            let phase = slot.map_or("", |slot| slot.phase.as_str());
            lines.push(told::row(&task.host, phase, task.began.elapsed()));
        }
        self.screen.show(lines);
    }
}
