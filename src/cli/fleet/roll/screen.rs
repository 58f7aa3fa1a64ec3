//! What is seen while a roll runs: on a terminal a table of the hosts that are under way, below what was said; else lines.

use std::io::{self, Write as _};

use super::host::HostLine;
use crate::cli::output::screen::Screen;
use crate::names::text::for_terminal;

/// What stands on the terminal.
pub(super) struct RollScreen {
    program: String,
    screen: Screen,
    /// Standard output is for the document at the end.
    keeps_output: bool,
}

impl RollScreen {
    pub(super) fn new(program: &str, keeps_output: bool) -> Self {
        Self {
            program: program.to_owned(),
            screen: Screen::new(),
            keeps_output,
        }
    }

    pub(super) fn can_redraw(&self) -> bool {
        self.screen.can_redraw()
    }

    /// A line of haroll that stays.
    pub(super) fn say(&mut self, text: &str) {
        self.screen.erase_table();
        let next_line = format!("\n{}: ", self.program);
        let lines = text.replace('\n', &next_line);
        self.screen.write(&format!("{}: {lines}\n", self.program));
    }

    /// A line of a host's output, behind its name.
    pub(super) fn pass_on(&mut self, line: &HostLine) {
        self.screen.erase_table();
        let text = format!("{}: {}\n", line.host, line.text);
        if line.is_error || self.keeps_output {
            return self.screen.write(&text);
        }

        let mut out = io::stdout().lock();
        // Nobody who stops reading stops the roll.
        let written = out.write_all(for_terminal(&text).as_bytes());
        let _ = written.and_then(|()| out.flush());
    }

    /// Draws the table; its first line is its head.
    pub(super) fn show(&mut self, lines: &[String]) {
        self.screen.redraw(lines);
    }

    pub(super) fn clear(&mut self) {
        self.screen.erase_table();
    }
}
