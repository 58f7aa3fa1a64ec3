//! Texts that others wrote, made fit to be shown on one line of a log, a list or a terminal.

/// A text on one line: control characters and line separators become spaces.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// The first `most` characters of a text, on one line.
#[must_use]
pub fn beginning(text: &str, most: usize) -> String {
    text.chars().take(most).map(visible).collect()
}

/// The first line that is not blank, without the spaces around it, at most `most` characters long; empty when there is
/// none.
#[must_use]
pub fn first_line(text: &str, most: usize) -> String {
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty());
    beginning(line.unwrap_or_default(), most)
}

fn visible(c: char) -> char {
    if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') {
        ' '
    } else {
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_break_a_line_or_steer_a_terminal_becomes_a_space() {
        assert_eq!(one_line("a\r\nb\x1b[1m\u{9b}c\u{2028}é\t"), "a  b [1m c é ");
        assert_eq!(beginning("é\nabc", 3), "é a");
        assert_eq!(first_line("\n \n out\tx \nmore", 80), "out x");
        assert_eq!(first_line("\n out\tx", 2), "ou");
        assert_eq!(first_line(" \n", 2), "");
    }
}
