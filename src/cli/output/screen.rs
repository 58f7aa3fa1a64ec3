//! Standard error as people watch it: a table that is redrawn in place, and lines that stay.

use std::io::{self, IsTerminal as _, Write as _};

use crate::names::text::for_terminal;

/// Most lines of the table; more would scroll out of small terminals, where they cannot be redrawn.
const LINES_MAX: usize = 20;

/// Most characters of a line: one that wraps would break the table.
const WIDTH: usize = 79;

/// What stands on standard error.
pub(crate) struct Screen {
    is_terminal: bool,
    /// The table that is drawn, one line each.
    drawn: Vec<String>,
}

impl Screen {
    /// Nothing is drawn yet.
    pub(crate) fn new() -> Self {
        Self {
            is_terminal: io::stderr().is_terminal(),
            drawn: Vec::new(),
        }
    }

    /// Whether there is a terminal, on which a table can be redrawn.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes text that stays; a table that stood there stays, too.
    pub(crate) fn write(&mut self, text: &str) {
        write(&for_terminal(text));
        self.drawn.clear();
    }

    /// Draws a table in place of the last one.
    pub(crate) fn redraw(&mut self, rows: &[String]) {
        let fitting = rows.iter().take(LINES_MAX).map(|row| cut(row));
        let table: Vec<String> = fitting.collect();
        // Not drawn again: each time would flicker, and fill a recorded session.
        if table == self.drawn {
            return;
        }
        let lines = table.iter().map(|line| format!("{line}\n"));
        let lines: String = lines.collect();
        write(&(self.clearing() + &lines));
        self.drawn = table;
    }

    /// What clears the old table.
    fn clearing(&self) -> String {
        match self.drawn.len() {
            // "Up by 0 lines" is up by one for a terminal.
            0 => String::new(),
            // The cursor goes to the first line of the old table, and clears all below.
            lines => format!("\x1b[{lines}A\x1b[J"),
        }
    }
}

fn cut(row: &str) -> String {
    for_terminal(row).chars().take(WIDTH).collect()
}

fn write(text: &str) {
    // Where standard error is closed, nobody wants to know.
    let _ = io::stderr().write_all(text.as_bytes());
}
