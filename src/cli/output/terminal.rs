//! What terminal there is: how much room, and whether its cursor can be moved.

use std::os::fd::AsRawFd;

use crate::os::sys::window_size;

/// The room there is, in columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Size {
    /// For a file or a pipe.
    pub(crate) const UNLIMITED: Self = Self {
        width: usize::MAX,
        height: usize::MAX,
    };

    /// To go by where the terminal does not tell one.
    const USUAL: Self = Self {
        width: 80,
        height: 24,
    };

    /// The size of a terminal right now.
    pub(crate) fn of(terminal: &impl AsRawFd) -> Self {
        match window_size(terminal) {
            Ok((columns, rows)) if columns > 0 && rows > 0 => Self {
                width: columns.into(),
                height: rows.into(),
            },
            _ => Self::USUAL,
        }
    }
}

/// Whether `TERM` names a kind of terminal whose cursor can be moved.
pub(crate) fn can_move_cursor() -> bool {
    let kind = std::env::var_os("TERM");
    kind.is_some_and(|kind| !kind.is_empty() && kind != "dumb")
}

/// Whether text is to be shown as it is, by `NO_COLOR` (<https://no-color.org>): then nothing is bold either.
pub(crate) fn is_plain() -> bool {
    let wish = std::env::var_os("NO_COLOR");
    wish.is_some_and(|wish| !wish.is_empty())
}

/// A text that is no longer than this. It is shortened in the middle, as names differ at their ends.
pub(crate) fn shortened(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= width {
        return text.to_owned();
    }

    let end = width / 2;
    let start = width.saturating_sub(end + 1);
    let head: String = chars[..start].iter().collect();
    let tail: String = chars[chars.len() - end..].iter().collect();
    format!("{head}…{tail}")
}

/// A text as wide as its column.
pub(crate) fn column(text: &str, width: usize) -> String {
    format!("{:width$}", shortened(text, width))
}

/// A text that is no longer than this. What does not fit is told by an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }

    let shown: String = text.chars().take(width.saturating_sub(1)).collect();
    shown + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_shortened_keeps_both_of_its_ends() {
        assert_eq!(shortened("web", 6), "web");
        assert_eq!(shortened("service-éa", 6), "se…-éa");
        assert_eq!(shortened("service", 1), "…");
    }

    #[test]
    fn what_does_not_fit_ends_in_an_ellipsis() {
        assert_eq!(cut("sees DOWN", 9), "sees DOWN");
        assert_eq!(cut("sees DOWN", 6), "sees …");
    }
}
