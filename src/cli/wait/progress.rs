//! How a wait shows itself on standard error: on a terminal a table that is redrawn, else a line
//! for each change.

use std::collections::HashMap;

use super::acted::Standing;
use crate::cli::output::screen::Screen;

/// Where one balancer stands.
pub(crate) struct PollerStanding {
    /// Its name for people.
    pub(crate) label: String,
    /// What tells it from all others.
    pub(crate) id: String,
    pub(crate) standing: Standing,
}

impl PollerStanding {
    /// `lb1 web/s1: sees DOWN`.
    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.label, self.standing.text())
    }
}

/// What was shown so far.
pub(crate) struct Progress {
    program: String,
    screen: Screen,
    /// The last standing that was told of each balancer, where lines are written.
    told: HashMap<String, Standing>,
}

impl Progress {
    /// Nothing shown yet.
    pub(crate) fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            screen: Screen::new(),
            told: HashMap::new(),
        }
    }

    /// One line that stays.
    pub(crate) fn say(&mut self, text: &str) {
        self.screen.write(&format!("{}: {text}\n", self.program));
    }

    /// Shows where each balancer stands.
    pub(crate) fn show(&mut self, balancers: &[PollerStanding]) {
        if self.screen.is_terminal() {
            self.screen.redraw(&rows(balancers));
        } else {
            self.tell_changes(balancers);
        }
    }

    fn tell_changes(&mut self, balancers: &[PollerStanding]) {
        let mut text = String::new();
        for balancer in balancers {
            let standing = &balancer.standing;
            if !is_change(self.told.get(&balancer.id), standing) {
                continue;
            }
            let (program, label) = (&self.program, &balancer.label);
            let done = if standing.is_done() { "done, " } else { "" };
            text.push_str(&format!("{program}: {label}: {done}{}\n", standing.text()));
            self.told.insert(balancer.id.clone(), standing.clone());
        }
        self.screen.write(&text);
    }
}

/// The table: those that are waited for come first, since they matter when there are many.
fn rows(balancers: &[PollerStanding]) -> Vec<String> {
    let mut order: Vec<&PollerStanding> = balancers.iter().collect();
    order.sort_by_key(|balancer| balancer.standing.is_done());
    order.into_iter().map(row).collect()
}

fn row(balancer: &PollerStanding) -> String {
    let mark = match balancer.standing {
        Standing::Done(_) => "done",
        Standing::Waiting(_) => "....",
    };
    format!("  {mark}  {}", balancer.text())
}

/// Someone who is silent is silent for longer each time: that is no change.
fn is_change(before: Option<&Standing>, now: &Standing) -> bool {
    match before {
        None => true,
        Some(before) => before != now && !(is_silent(before) && is_silent(now)),
    }
}

fn is_silent(standing: &Standing) -> bool {
    standing.text().starts_with("silent for ")
}
