//! A picture in a terminal: drawn again with each answer until somebody presses q, else printed once.

mod answers;
mod terminal;

use std::io::{self, IsTerminal as _};

use self::answers::Answers;
use self::terminal::{Terminal, Wake};
use crate::cli::failure::Failure;
use crate::cli::output::terminal::{Size, can_move_cursor};
use crate::names::text::one_line;

/// The head of a picture is as wide as this at most, so that the time stands near the text.
const HEAD_MAX: usize = 80;

/// What is shown, made of answers.
pub(crate) trait LivePicture<A> {
    /// Takes an answer.
    fn take(&mut self, answer: A);

    /// All lines, however many.
    fn lines(&self, width: usize) -> Vec<String>;

    /// What to do where the terminal has no room for all of them.
    const REMEDY: &'static str;
}

/// Whether there is a terminal that can put its cursor somewhere.
pub(crate) fn can_be_drawn_on() -> bool {
    io::stdout().is_terminal() && can_move_cursor()
}

/// Draws each answer until somebody presses q or Ctrl-C.
pub(crate) fn watch<A, P>(
    picture: &mut P,
    ask: impl FnMut() -> A + Send + 'static,
) -> Result<(), Failure>
where
    A: Send + 'static,
    P: LivePicture<A>,
{
    // Before the thread starts, so that it holds back the same signals.
    let mut terminal = Terminal::open()?;
    let mut answers = Answers::ask_for_ever(ask)?;
    loop {
        match terminal.wait(&answers)? {
            Wake::End => return Ok(()),
            Wake::Redraw => {}
            // The bell may have rung for nothing.
            Wake::Answer => answers.next().into_iter().for_each(|a| picture.take(a)),
        }
        let size = terminal.size();
        terminal.draw(&fit(picture.lines(size.width), size, P::REMEDY))?;
    }
}

/// The whole picture as a text.
pub(crate) fn text_of<A, P: LivePicture<A>>(picture: &P) -> String {
    let size = Size::UNLIMITED;
    fit(picture.lines(size.width), size, P::REMEDY).join("\n") + "\n"
}

/// A line with the time of day at its right end.
pub(crate) fn with_clock(left: &str, clock: &str, width: usize) -> String {
    let used = left.chars().count() + clock.len();
    let gap = width.min(HEAD_MAX).saturating_sub(used);
    format!("{left}{}{clock}", " ".repeat(gap.max(2)))
}

/// Cuts lines to the width, and the list to the height: what is left out is counted.
fn fit(mut lines: Vec<String>, size: Size, remedy: &str) -> Vec<String> {
    if lines.len() > size.height {
        let room = size.height.saturating_sub(1);
        let hidden = lines.len() - room;
        lines.truncate(room);
        lines.push(format!("  and {hidden} more lines; {remedy}"));
    }

    let cut = |line: &String| one_line(line).chars().take(size.width).collect();
    lines.iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_the_screen_and_what_is_left_out_is_counted() {
        let lines = |n: usize| {
            (0..n)
                .map(|i| format!("line {i}\tof the picture"))
                .collect()
        };
        let size = Size {
            width: 10,
            height: 4,
        };
        assert_eq!(fit(lines(2), size, "x"), ["line 0 of ", "line 1 of "]);
        assert_eq!(fit(lines(4), size, "x").len(), 4);
        assert_eq!(
            fit(lines(6), size, "x"),
            ["line 0 of ", "line 1 of ", "line 2 of ", "  and 3 mo"]
        );
        let none = Size {
            width: 10,
            height: 0,
        };
        assert_eq!(fit(lines(6), none, "x").len(), 1);
    }
}
