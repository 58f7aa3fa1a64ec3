//! Standard error as people watch it: a table that is redrawn in place, and lines that stay.
//!
//! Rule: the table and the line below it, where the cursor is, fit the screen. What has scrolled out of it can never be
//! redrawn.

use std::io::{self, IsTerminal as _, Write as _};

use crate::cli::output::terminal::{Size, can_move_cursor, cut, is_plain};
use crate::names::text::for_terminal;

/// Lines that are too long are cut by the terminal: some characters are wider than one column.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// From the cursor on.
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// What stands on standard error.
pub(crate) struct Screen {
    can_redraw: bool,
    /// The head of the table is bold.
    is_bold: bool,
    /// The table that is drawn, one line each.
    drawn: Vec<String>,
}

impl Screen {
    /// Nothing is drawn yet.
    pub(crate) fn new() -> Self {
        Self {
            can_redraw: io::stderr().is_terminal() && can_move_cursor(),
            is_bold: !is_plain(),
            drawn: Vec::new(),
        }
    }

    /// Whether there is a terminal on which a table can be redrawn.
    pub(crate) fn can_redraw(&self) -> bool {
        self.can_redraw
    }

    /// The room that a table has now.
    pub(crate) fn room(&self) -> Size {
        let size = Size::of(&io::stderr());
        Size {
            width: size.width,
            // The cursor stands below the table.
            height: size.height.saturating_sub(1).max(1),
        }
    }

    /// Writes text that stays; a table that stood there stays, too.
    pub(crate) fn write(&mut self, text: &str) {
        write(&for_terminal(text));
        self.leave_table();
    }

    /// Leaves the table as it is; the next one is drawn below what stands there.
    pub(crate) fn leave_table(&mut self) {
        self.drawn.clear();
    }

    /// Takes the table away, so that text that stays can be written in its place.
    pub(crate) fn erase_table(&mut self) {
        let top = self.top(self.room());
        if !top.is_empty() {
            write(&format!("{top}{CLEAR_BELOW}"));
        }

        self.drawn.clear();
    }

    /// Draws a table in place of the last one. Its first line is its head.
    pub(crate) fn redraw(&mut self, lines: &[String]) {
        let room = self.room();
        let mut table = Vec::new();
        for line in lines.iter().take(room.height) {
            table.push(cut(&for_terminal(line), room.width));
        }

        // Not drawn again: each time would flicker, and fill a recorded session.
        if table == self.drawn {
            return;
        }

        let (top, text) = (self.top(room), self.text(&table));
        write(&format!("{top}{NO_WRAP}{text}{WRAP}{CLEAR_BELOW}"));
        self.drawn = table;
    }

    /// What puts the cursor on the first line of the old table.
    fn top(&self, room: Size) -> String {
        // Where the terminal has become narrower it may have wrapped old lines. How many is unknown: so some lines may be
        // left of the table, and nothing else is ever overwritten.
        match self.drawn.len().min(room.height) {
            // "Up by 0 lines" is up by one for a terminal.
            0 => String::new(),
            lines => format!("\r\x1b[{lines}A"),
        }
    }

    /// The lines, each of which clears what it does not cover of an old one: tmux keeps a screen that is cleared as a whole
    /// in its history.
    fn text(&self, table: &[String]) -> String {
        let mut text = String::new();
        for (number, line) in table.iter().enumerate() {
            match number {
                0 if self.is_bold => text.push_str(&format!("\x1b[1m{line}\x1b[0m")),
                _ => text.push_str(line),
            }
            text.push_str(CLEAR_LINE);
            text.push('\n');
        }

        text
    }
}

fn write(text: &str) {
    // Where standard error is closed, nobody wants to know.
    let _ = io::stderr().write_all(text.as_bytes());
}
