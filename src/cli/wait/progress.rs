//! How a wait shows itself on standard error: on a terminal a table that is redrawn, else a line for each change.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use super::acted::Stand;

/// Most lines of the table; more scroll away on small terminals.
const LINES_MAX: usize = 20;

/// Most characters of a line: one that wraps would break the table.
const WIDTH: usize = 79;

/// What was shown so far.
pub(crate) struct Progress {
    program: String,
    terminal: bool,
    /// The lines of the table that stand on the terminal.
    drawn: usize,
    last_table: String,
    told: HashMap<String, Stand>,
}

impl Progress {
    /// Nothing shown yet.
    pub(crate) fn new(program: &str) -> Self {
        Self {
            program: program.to_owned(),
            terminal: io::stderr().is_terminal(),
            drawn: 0,
            last_table: String::new(),
            told: HashMap::new(),
        }
    }

    /// Shows where each poller stands: name for the table, identity, stand.
    pub(crate) fn show(&mut self, stands: &[(String, String, Stand)]) {
        if self.terminal {
            self.redraw(stands);
        } else {
            self.changes(stands);
        }
    }

    /// One line that stays.
    pub(crate) fn say(&mut self, text: &str) {
        write(&format!("{}: {text}\n", self.program));
        self.drawn = 0;
        self.last_table.clear();
    }

    fn changes(&mut self, stands: &[(String, String, Stand)]) {
        let mut text = String::new();
        for (label, id, stand) in stands {
            if self.told.get(id) != Some(stand) && !only_time_differs(self.told.get(id), stand) {
                let done = if stand.is_done() { "done, " } else { "" };
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{}: {label}: {done}{}", self.program, stand.text());
                self.told.insert(id.clone(), stand.clone());
            }
        }
        write(&text);
    }

    fn redraw(&mut self, stands: &[(String, String, Stand)]) {
        let line = |(label, _, stand): &(String, String, Stand)| {
            let mark = if stand.is_done() { "done" } else { "...." };
            let text = format!("  {mark}  {label}: {}", stand.text());
            format!("{}\n", text.chars().take(WIDTH).collect::<String>())
        };
        // Those that are waited for come first: they are what matters when there are many.
        let mut order: Vec<_> = stands.iter().collect();
        order.sort_by_key(|(_, _, stand)| stand.is_done());
        let table: String = order.iter().take(LINES_MAX).map(|s| line(s)).collect();
        if table == self.last_table {
            return;
        }
        let up = if self.drawn > 0 {
            format!("\x1b[{}A\x1b[J", self.drawn)
        } else {
            String::new()
        };
        write(&format!("{up}{table}"));
        self.drawn = order.len().min(LINES_MAX);
        self.last_table = table;
    }
}

/// Someone who is silent is silent for longer each time: that is no change.
fn only_time_differs(before: Option<&Stand>, now: &Stand) -> bool {
    before.is_some_and(|b| {
        b.text().starts_with("silent for ") && now.text().starts_with("silent for ")
    })
}

/// Where standard error is closed, nobody wants to know.
fn write(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
