//! How long balancers may need until they have acted. Pure.

use std::time::Duration;

use super::acted::Rules;
use super::balancers::Balancers;
use super::deadline::Deadline;
use super::{Waiter, looks};
use crate::cli::output::pollers::{age, label};
use crate::ledger::{PollerRow, PollersPage};

/// How long is waited at least, unless told otherwise.
pub(super) const LEAST: Duration = Duration::from_secs(60);

/// How long is waited at the most, unless told otherwise: nobody who polls once in a day is meant.
const MOST: Duration = Duration::from_secs(900);

/// Time for answers and for a busy host, in seconds.
const MARGIN: f64 = 5.0;

/// What the slowest of the balancers may need.
pub(super) struct Need {
    /// In seconds.
    time: f64,
    label: String,
    interval: f64,
}

impl Need {
    /// Of these balancers; `None` without any.
    pub(super) fn of(rows: &[PollerRow], rules: &Rules) -> Option<Self> {
        let slowest = slowest(rows, rules)?;
        Some(Self {
            time: time(slowest, rules),
            label: label(slowest, rows),
            interval: slowest.usual_interval(),
        })
    }

    /// How long to wait unless told otherwise.
    pub(super) fn limit(&self) -> Duration {
        let time = Duration::try_from_secs_f64((self.time + MARGIN).ceil());
        time.unwrap_or(MOST).clamp(LEAST, MOST)
    }

    /// What is to be said at the start, where a timeout is given and where none is.
    pub(super) fn note(&self, timeout: Option<Duration>) -> Option<String> {
        let needs = self.sentence();
        match timeout {
            None => self.note_of_limit(needs),
            Some(timeout) if timeout.as_secs_f64() < self.time => Some(format!(
                "--timeout {} s may be too short: {needs}",
                timeout.as_secs_f64()
            )),
            Some(_) => None,
        }
    }

    fn note_of_limit(&self, needs: String) -> Option<String> {
        if self.time + MARGIN > MOST.as_secs_f64() {
            return Some(format!(
                "{needs}; {} s are waited, unless --timeout says more",
                MOST.as_secs()
            ));
        }

        // A minute is what everybody gets, and not worth a line.
        match self.limit() > LEAST {
            true => Some(needs),
            false => None,
        }
    }

    /// `needs up to 95 s: 10.0.0.1 ELB-HealthChecker/2.0 polls every 30 s`.
    fn sentence(&self) -> String {
        let time = (self.time + MARGIN).ceil();
        let interval = age(self.interval);
        format!(
            "needs up to {time} s: {} polls every {interval}",
            self.label
        )
    }
}

impl Waiter {
    /// Says at the start who is not waited for, and how long those may need that are.
    pub(super) fn tell_who_counts(&mut self, before: &PollersPage, balancers: &Balancers) {
        for sentence in looks::sentences(&before.of(&self.names)) {
            self.progress.say(&sentence);
        }

        if self.limits.timeout.is_some() {
            self.tell_need(balancers);
        }
    }

    fn tell_need(&mut self, balancers: &Balancers) {
        let timeout = self.limits.timeout;
        if let Some(need) = balancers.need()
            && let Some(note) = need.note(timeout)
        {
            self.progress.say(&note);
        }
    }

    /// Where no timeout is given, balancers that poll seldom get the time that they need.
    pub(super) fn allow_for_slow(&mut self, deadline: &mut Deadline, balancers: &Balancers) {
        let (None, Some(need)) = (self.limits.timeout, balancers.need()) else {
            return;
        };

        // Intervals that are measured are never quite the same, which is not worth a line.
        if need.limit() > deadline.limit.mul_f64(1.05) {
            deadline.limit = need.limit();
            self.tell_need(balancers);
        }
    }
}

fn slowest<'a>(rows: &'a [PollerRow], rules: &Rules) -> Option<&'a PollerRow> {
    rows.iter()
        .max_by(|a, b| time(a, rules).total_cmp(&time(b, rules)))
}

/// How long a balancer may need, in seconds.
fn time(row: &PollerRow, rules: &Rules) -> f64 {
    #[allow(clippy::cast_precision_loss)] // of more polls nobody waits for the end
    let polls = rules.polls_until_acted(row) as f64;
    polls * row.usual_interval()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::wait::acted::Goal;

    fn aws(interval: f64) -> PollerRow {
        PollerRow {
            node: None,
            server: None,
            view: None,
            state: None,
            user_agent: Some("ELB-HealthChecker/2.0".into()),
            interval: Some(interval),
            ..PollerRow::example()
        }
    }

    fn need(rows: &[PollerRow]) -> Need {
        Need::of(rows, &Rules::new(Goal::Out, None)).unwrap()
    }

    #[test]
    fn what_the_slowest_needs_is_waited_and_said() {
        let rows = [aws(30.0), PollerRow::example()];
        let need = need(&rows);
        assert_eq!(need.limit(), Duration::from_secs(95));
        let says = "needs up to 95 s: 10.0.0.1 ELB-HealthChecker/2.0 polls every 30 s";
        assert_eq!(need.note(None).as_deref(), Some(says));
        let short = need.note(Some(Duration::from_secs(20)));
        assert_eq!(
            short,
            Some(format!("--timeout 20 s may be too short: {says}"))
        );
        assert_eq!(need.note(Some(Duration::from_secs(90))), None);
        assert!(Need::of(&[], &Rules::new(Goal::Up, None)).is_none());
    }

    #[test]
    fn a_minute_is_waited_for_fast_ones_and_a_quarter_of_an_hour_at_the_most() {
        let fast = need(&[PollerRow::example()]);
        assert_eq!((fast.limit(), fast.note(None)), (LEAST, None));
        let slow = need(&[aws(3600.0)]);
        assert_eq!(slow.limit(), MOST);
        let says = slow.note(None).unwrap();
        assert!(
            says.ends_with("; 900 s are waited, unless --timeout says more"),
            "{says}"
        );
    }
}
