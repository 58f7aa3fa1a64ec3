//! Tables for people: columns as wide as what they hold, and the last one cut where the terminal ends.

use std::io::{self, IsTerminal as _};

use crate::cli::output::terminal::cut;
use crate::os::sys::window_size;

/// Spaces between two columns.
const GAP: &str = "  ";

/// Whether people read standard output.
pub(crate) fn is_for_people() -> bool {
    io::stdout().is_terminal()
}

/// The characters that fit on a line; `None` where lines may be of any length.
pub(crate) fn width() -> Option<usize> {
    match window_size(&io::stdout()) {
        Ok((columns, _)) if columns > 0 => Some(columns.into()),
        _ => None,
    }
}

/// The table, with a row of heads.
pub(crate) fn table<const N: usize>(
    heads: [&str; N],
    rows: &[[String; N]],
    width: Option<usize>,
) -> String {
    let heads = heads.map(str::to_owned);
    let widths = widths(rows.iter().chain([&heads]));
    let mut text = String::new();
    for row in [&heads].into_iter().chain(rows) {
        let line = line(row, &widths);
        text.push_str(&cut(&line, width.unwrap_or(usize::MAX)));
        text.push('\n');
    }

    text
}

fn widths<'a, const N: usize>(rows: impl Iterator<Item = &'a [String; N]>) -> [usize; N] {
    let mut widths = [0; N];
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = cell.chars().count().max(*widest);
        }
    }

    widths
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        line.push_str(&format!("{cell:<width$}{GAP}"));
    }

    // Blanks at the end would only make a terminal wrap the line.
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_needed_and_lines_as_long_as_the_terminal() {
        let row = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let rows = [row("web:8080", "new disk"), row("é", "")];
        let all = table(["SERVICE", "REASON"], &rows, None);
        assert_eq!(all, "SERVICE   REASON\nweb:8080  new disk\né\n");
        let narrow = table(["SERVICE", "REASON"], &rows, Some(14));
        assert_eq!(narrow, "SERVICE   REA…\nweb:8080  new…\né\n");
    }
}
