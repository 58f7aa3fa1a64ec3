//! Waiting until every load balancer has acted.
//!
//! Who counts is settled on the daemon's clock: the ledger is read right before the change, and everyone who polled
//! within the last three of its own intervals then counts, and whoever polls later. Answers count from the first look
//! after the change. A person who looks once or twice, with curl or a browser, is no poller.
//!
//! Rule: nobody is taken for granted. A poller that counts once counts until the end, also when it falls silent or the
//! daemon starts anew.

pub(crate) mod acted;
pub(crate) mod guard;
pub(crate) mod healthy;
pub(crate) mod interrupt;
pub(crate) mod limits;
pub(crate) mod progress;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cli::client::Daemon;
use crate::cli::output::pollers::label;
use crate::ledger::{Page, Row};
use acted::{Goal, Rules, Stand};
use interrupt::Interrupt;
use limits::Limits;
use progress::Progress;

/// How often the daemon is asked, while its answers are short.
const EVERY: Duration = Duration::from_millis(100);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// How long a daemon must have run for its list of pollers to be taken for complete, in seconds.
const SETTLED: f64 = 30.0;

/// Why a wait ended before its goal: a sentence.
pub(crate) type Unfinished = String;

/// One wait, from before the change to the end.
pub(crate) struct Wait<'a> {
    pub(crate) daemon: Daemon,
    /// The services or instances.
    pub(crate) keys: &'a [String],
    pub(crate) goal: Goal,
    pub(crate) limits: Limits,
    pub(crate) interrupt: &'a Interrupt,
}

/// The pollers that count, as they were seen last.
struct Counted {
    rows: BTreeMap<String, Row>,
    /// Polls later than this, on the daemon's clock, make a poller count.
    from: f64,
    /// The daemon that `from` and the rows' times belong to.
    daemon: String,
    rules: Rules,
    now: f64,
}

impl Wait<'_> {
    /// Waits after a change; `before` is what the daemon said right before it. `unchanged` tells who undid the change
    /// meanwhile.
    pub(crate) fn run(
        &self,
        before: &Page,
        progress: &mut Progress,
        undone: impl Fn() -> Option<String>,
    ) -> Result<(), Unfinished> {
        let start = Instant::now();
        let mut counted = Counted::new(before, self.goal, self.limits.polls);
        let mut trouble: Option<String> = None;
        let mut is_first = true;
        loop {
            let asked = Instant::now();
            let left = self
                .limits
                .timeout
                .saturating_sub(start.elapsed())
                .max(EVERY);
            match self.daemon.pollers(self.keys, ANSWER.min(left)) {
                Ok(page) => {
                    trouble = None;
                    counted.take(&page, is_first);
                    is_first = false;
                    let stands = counted.stands();
                    if counted.rows.is_empty() && self.limits.min_pollers == 0 {
                        progress.say(&nobody(&page));
                        return Ok(());
                    }
                    progress.show(&stands);
                    if counted.rows.len() >= self.limits.min_pollers
                        && stands.iter().all(|(_, _, s)| s.is_done())
                    {
                        return Ok(());
                    }
                }
                Err(e) => {
                    if trouble.is_none() {
                        progress.say(&format!("{e} (still waiting)"));
                    }
                    trouble = Some(e);
                }
            }
            if let Some(how) = undone() {
                return Err(how);
            }
            self.pause(start, asked.elapsed(), || {
                unfinished(&counted, trouble.as_deref(), self.limits)
            })?;
        }
    }

    /// Waits a little, unless time is up or somebody interrupts.
    fn pause(
        &self,
        start: Instant,
        took: Duration,
        why: impl Fn() -> String,
    ) -> Result<(), Unfinished> {
        if let Some(signal) = self.interrupt.came() {
            return Err(format!("interrupted ({}): {}", signal.as_str(), why()));
        }
        let left = self.limits.timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(format!(
                "not within {} s: {}",
                self.limits.timeout.as_secs_f64(),
                why()
            ));
        }
        // A daemon with many pollers is not kept busy by those who ask about them.
        std::thread::sleep(EVERY.max(took * 4).min(left));
        Ok(())
    }
}

impl Counted {
    fn new(before: &Page, goal: Goal, polls: u64) -> Self {
        let polling = before
            .pollers
            .iter()
            .filter(|row| row.is_polling(before.now) && !row.is_person());
        Self {
            rows: polling.map(|row| (row.id(), row.clone())).collect(),
            from: before.now,
            daemon: before.daemon.clone(),
            // Set at the first look after the change.
            rules: Rules {
                goal,
                polls,
                since: f64::INFINITY,
                weights: before.agent_weights,
            },
            now: before.now,
        }
    }

    /// Takes in what the daemon says now.
    fn take(&mut self, page: &Page, is_first: bool) {
        if page.daemon != self.daemon {
            // A new daemon with a clock of its own: all that it has seen came after the change, and nobody has been
            // answered by it yet.
            self.daemon.clone_from(&page.daemon);
            (self.from, self.rules.since) = (-1.0, -1.0);
            self.rows
                .values_mut()
                .for_each(|row| (row.told, row.polled_at) = (None, page.now));
        } else if is_first {
            self.rules.since = page.now;
        }
        (self.now, self.rules.weights) = (page.now, page.agent_weights);
        for row in &page.pollers {
            let id = row.id();
            if row.polled_at > self.from && !row.is_person() || self.rows.contains_key(&id) {
                self.rows.insert(id, row.clone());
            }
        }
    }

    /// Name, identity and stand of each.
    fn stands(&self) -> Vec<(String, String, Stand)> {
        let all: Vec<Row> = self.rows.values().cloned().collect();
        let services = all.iter().any(|row| row.service != all[0].service);
        let name = |row: &Row| match services {
            true => format!("{} {}", row.service, label(row, &all)),
            false => label(row, &all),
        };
        self.rows
            .iter()
            .map(|(id, row)| (name(row), id.clone(), self.rules.judge(row, self.now)))
            .collect()
    }
}

fn nobody(page: &Page) -> String {
    match page.now < SETTLED {
        true => format!(
            "no load balancer is known to poll it, but hacheck has been running for {:.0} s only; \
             --min-pollers waits for them",
            page.now
        ),
        false => "no load balancer polls it".to_owned(),
    }
}

/// Who has not acted, and why.
fn unfinished(counted: &Counted, trouble: Option<&str>, limits: Limits) -> String {
    let stands = counted.stands();
    let waiting = stands.iter().filter(|(_, _, stand)| !stand.is_done());
    let mut why: Vec<String> = waiting
        .map(|(label, _, stand)| format!("{label}: {}", stand.text()))
        .collect();
    if counted.rows.len() < limits.min_pollers {
        why.push(format!(
            "{} of {} load balancers are known",
            counted.rows.len(),
            limits.min_pollers
        ));
    }
    why.extend(trouble.map(str::to_owned));
    why.join("\n  ")
}
