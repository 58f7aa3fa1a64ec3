//! How a wait shows itself on standard error: on a terminal a table that is redrawn, else a line
//! for each change.

use std::collections::{HashMap, HashSet};

use super::acted::Standing;
use crate::cli::output::screen::Screen;
use crate::cli::output::terminal::{Size, shortened};
use crate::names::sort::sort_by_key;

/// Columns of the states: as wide as the widest.
const STATE: usize = "waiting".len();

/// Names may have a third of the line: what is said of them matters more.
const NAME_SHARE: usize = 3;

/// Where one balancer stands.
pub(crate) struct PollerStanding {
    /// Its name for people.
    pub(crate) label: String,
    /// What tells it from all others.
    pub(crate) id: String,
    /// It sends no new traffic any more, or sends it again; its sessions may not have ended.
    pub(crate) has_acted: bool,
    pub(crate) standing: Standing,
}

impl PollerStanding {
    /// `lb1 web/s1: sees DOWN`.
    pub(crate) fn text(&self) -> String {
        format!("{}: {}", self.label, self.standing.text())
    }

    fn state(&self) -> &'static str {
        match self.standing {
            Standing::Done(_) => "done",
            Standing::Waiting(_) => "waiting",
        }
    }
}

/// What was shown so far.
pub(crate) struct Progress {
    program: String,
    screen: Screen,
    /// The last standing that was told of each balancer, where lines are written.
    told: HashMap<String, Standing>,
    /// The lines that are said once only.
    said: HashSet<String>,
}

impl Progress {
    /// Nothing shown yet.
    pub(crate) fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            screen: Screen::new(),
            told: HashMap::new(),
            said: HashSet::new(),
        }
    }

    /// One line that stays.
    pub(crate) fn say(&mut self, text: &str) {
        self.screen.write(&format!("{}: {text}\n", self.program));
    }

    /// A line that stays, unless it was said before: a roll waits three times, and what it finds may be the same.
    pub(crate) fn say_once(&mut self, text: &str) {
        if self.said.insert(text.to_owned()) {
            self.say(text);
        }
    }

    /// Lines that stay.
    pub(crate) fn say_all(&mut self, texts: &[String]) {
        for text in texts {
            self.say(text);
        }
    }

    /// Shows where each balancer stands, under a head that says how far the wait is.
    pub(crate) fn show(&mut self, head: &str, balancers: &[PollerStanding]) {
        // A log gets each change once, where a terminal gets the state again and again.
        if self.screen.can_redraw() {
            let table = table(head, balancers, self.screen.room());
            self.screen.redraw(&table);
        } else {
            self.tell_changes(balancers);
        }
    }

    /// Somebody else wrote below the table: a shell does when it stops this program.
    pub(crate) fn leave_table(&mut self) {
        self.screen.leave_table();
    }

    fn tell_changes(&mut self, balancers: &[PollerStanding]) {
        let mut text = String::new();
        for balancer in balancers {
            let before = self.told.get(&balancer.id);
            if is_change(before, &balancer.standing) {
                text.push_str(&self.line(balancer));
                let now = balancer.standing.clone();
                self.told.insert(balancer.id.clone(), now);
            }
        }

        // In one write, so that lines of other programs do not come between.
        self.screen.write(&text);
    }

    fn line(&self, balancer: &PollerStanding) -> String {
        let (program, label) = (&self.program, &balancer.label);
        let text = balancer.standing.text();
        match balancer.standing.is_done() {
            true => format!("{program}: {label}: done, {text}\n"),
            false => format!("{program}: {label}: {text}\n"),
        }
    }
}

/// The table: those that are waited for come first, since they matter when there are many.
fn table(head: &str, balancers: &[PollerStanding], room: Size) -> Vec<String> {
    let mut order: Vec<&PollerStanding> = balancers.iter().collect();
    sort_by_key(&mut order, |balancer| {
        (balancer.standing.is_done(), balancer.has_acted)
    });

    let (shown, hidden) = order.split_at(shown(order.len(), room));
    let name = name_width(shown, room);
    let mut lines = vec![head.to_owned()];
    for balancer in shown {
        lines.push(row(balancer, name));
    }

    if !hidden.is_empty() {
        lines.push(format!("  and {} more", hidden.len()));
    }

    lines
}

/// How many of so many balancers there is room for, below the head and above a line that tells how many are left out.
fn shown(balancers: usize, room: Size) -> usize {
    let lines = room.height.saturating_sub(1);
    match balancers <= lines {
        true => balancers,
        false => lines.saturating_sub(1),
    }
}

/// As wide as the longest name, within bounds.
fn name_width(balancers: &[&PollerStanding], room: Size) -> usize {
    let names = balancers.iter().map(|b| b.label.chars().count());
    let longest = names.max().unwrap_or_default();
    longest.min(room.width / NAME_SHARE)
}

fn row(balancer: &PollerStanding, name_width: usize) -> String {
    let state = balancer.state();
    let name = shortened(&balancer.label, name_width);
    let text = balancer.standing.text();
    format!("  {state:STATE$}  {name:name_width$}  {text}")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn balancer(label: &str, standing: Standing) -> PollerStanding {
        PollerStanding {
            label: label.to_owned(),
            id: label.to_owned(),
            has_acted: standing.is_done(),
            standing,
        }
    }

    fn two() -> Vec<PollerStanding> {
        vec![
            balancer("lb1 web/s1", Standing::Done("sees DOWN".into())),
            balancer(
                "balancer-a.eu-west web/s1",
                Standing::Waiting("still sees UP".into()),
            ),
        ]
    }

    fn room(width: usize, height: usize) -> Size {
        Size { width, height }
    }

    #[test]
    fn those_that_are_waited_for_come_first_and_names_keep_both_ends() {
        assert_eq!(
            table("1 of 2", &two(), room(45, 13)),
            [
                "1 of 2",
                "  waiting  balance… web/s1  still sees UP",
                "  done     lb1 web/s1       sees DOWN",
            ]
        );
    }

    #[test]
    fn what_does_not_fit_the_height_is_counted() {
        let many: Vec<PollerStanding> = (0..41)
            .map(|i| balancer(&format!("lb{i}"), Standing::Waiting("x".into())))
            .collect();
        let lines = table("0 of 41", &many, room(60, 13));
        assert_eq!(lines.len(), 13);
        assert_eq!(lines[12], "  and 30 more");
        let fits = table("0 of 12", &many[..12], room(60, 13));
        assert_eq!((fits.len(), fits[12].as_str()), (13, "  waiting  lb11  x"));
    }
}
