//! What is seen while a roll runs: on a terminal a table of the hosts that are under way, below what was said; else lines.
//!
//! Rule: it is written on a thread of its own, so that a pager that pauses stops neither the roll nor its hosts.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::host::HostLine;
use super::lines::{RollLine, RollLines};
use crate::cli::failure::{Failure, behind_name, failed};
use crate::cli::output::screen::Screen;
use crate::cli::wait::interrupt::Interrupt;
use crate::names::text::for_terminal;
use crate::os::cause::cause_text;

/// How often is looked whether all is written.
const GLANCE: Duration = Duration::from_millis(10);

/// How long the last lines may take where haroll is to end at once.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What is seen.
pub(super) struct RollScreen {
    can_redraw: bool,
    lines: Arc<RollLines>,
    writer: JoinHandle<()>,
}

impl RollScreen {
    /// `keeps_output`: standard output is for the document at the end.
    pub(super) fn new(program: &str, keeps_output: bool) -> Result<Self, Failure> {
        let mut writer = LineWriter {
            program: program.to_owned(),
            screen: Screen::new(),
            keeps_output,
        };
        let can_redraw = writer.screen.can_redraw();
        let lines = Arc::new(RollLines::default());
        let queue = Arc::clone(&lines);
        let thread = thread::Builder::new().name("lines".into());
        match thread.spawn(move || writer.run(&queue)) {
            Ok(writer) => Ok(Self {
                can_redraw,
                lines,
                writer,
            }),
            Err(e) => Err(failed!("cannot begin to write: {}", cause_text(e))),
        }
    }

    pub(super) fn can_redraw(&self) -> bool {
        self.can_redraw
    }

    /// Where hosts put their lines.
    pub(super) fn lines(&self) -> &Arc<RollLines> {
        &self.lines
    }

    /// A line of haroll that stays.
    pub(super) fn say(&self, text: &str) {
        self.lines.say(text.to_owned());
    }

    /// Draws the table; its first line is its head.
    pub(super) fn show(&self, lines: Vec<String>) {
        self.lines.show(lines);
    }

    /// Waits until all is written, or somebody presses Ctrl-C; not for long where somebody has.
    pub(super) fn finish(&self, interrupt: &Interrupt, is_left: bool) {
        self.lines.close();
        let begin = Instant::now();
        while !self.writer.is_finished() && interrupt.came().is_none() {
            if is_left && begin.elapsed() >= LAST_WORDS {
                return;
            }
            thread::sleep(GLANCE);
        }
    }
}

/// What writes.
struct LineWriter {
    program: String,
    screen: Screen,
    keeps_output: bool,
}

impl LineWriter {
    fn run(&mut self, lines: &RollLines) {
        while let Some(line) = lines.next() {
            self.write(line);
        }
        self.screen.erase_table();
    }

    fn write(&mut self, line: RollLine) {
        match line {
            RollLine::Table(table) => self.screen.redraw(&table),
            RollLine::OfHost(line) => self.pass_on(&line),
            RollLine::Own(text) => self.say(&text),
            RollLine::Missing(count) => self.say(&format!(
                "lines of hosts that are dropped here, as nobody read them: {count}"
            )),
        }
    }

    fn say(&mut self, text: &str) {
        self.screen.erase_table();
        let lines = behind_name(&self.program, text);
        self.screen.write(&format!("{lines}\n"));
    }

    /// A line of a host's output, behind its name.
    fn pass_on(&mut self, line: &HostLine) {
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
}
