//! Texts that others wrote, made fit to be shown on one line of a log, a list or a terminal.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// A text on one line: control characters and line separators become spaces.
#[must_use]
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// Most names in a list within a sentence.
const NAMES_MAX: usize = 8;

/// `lb1, lb2 and 3 more`, on one line.
#[must_use]
pub(crate) fn first_of(names: &BTreeSet<String>) -> String {
    let first = names.iter().take(NAMES_MAX);
    let shown: Vec<String> = first.map(|name| one_line(name)).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The first `most` characters of a text, on one line.
#[must_use]
pub fn beginning(text: &str, most: usize) -> String {
    text.chars().take(most).map(visible).collect()
}

/// The first line that is not blank, without the spaces around it, at most `most` characters long; empty when there is
/// none.
#[must_use]
pub(crate) fn first_line(text: &str, most: usize) -> String {
    let mut lines = text.lines().map(str::trim);
    let line = lines.find(|line| !line.is_empty());
    beginning(line.unwrap_or_default(), most)
}

/// A text that can do nothing but be read, wherever it is shown: a control character or one that turns the direction of
/// writing (Unicode's bidirectional controls) becomes an escape such as `\\u202e`, by which JSON stays the same JSON. Tabs
/// and ends of lines stay.
#[must_use]
pub fn for_terminal(text: &str) -> Cow<'_, str> {
    // Most texts can be shown as they are, without a copy.
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }

    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let ends_line = c == '\r' && rest.peek() == Some(&'\n');
        // A carriage return alone would let the text overwrite the line it stands in.
        match steers(c) && !ends_line {
            true => shown.push_str(&escape(c)),
            false => shown.push(c),
        }
    }

    Cow::Owned(shown)
}

/// As JSON writes it.
fn escape(c: char) -> String {
    format!("\\u{:04x}", u32::from(c))
}

/// Whether a terminal would do something else than show it.
fn steers(c: char) -> bool {
    let is_layout = matches!(c, '\t' | '\n');
    turns_direction(c) || (c.is_control() && !is_layout)
}

/// A text in which the user name and password of a URL do not show: `http://***@host`.
///
/// Rule: what could be a part of them never shows. So all from the scheme to the last `@` counts as theirs.
#[must_use]
pub(crate) fn without_userinfo(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else {
        return text.to_owned();
    };

    // Without a colon it holds no password: it may be an e-mail address.
    let Some((scheme, hidden)) = before.split_once(':') else {
        return text.to_owned();
    };

    let slashes = if hidden.starts_with("//") { "//" } else { "" };
    format!("{scheme}:{slashes}***@{host}")
}

/// A text on one line, cut where it has more than `most` characters. Those that change the direction of writing go, as
/// they would reorder what stands beside it.
#[must_use]
pub fn shown(text: &str, most: usize) -> String {
    let mut chars = text.chars().filter(|c| !turns_direction(*c)).map(visible);
    let mut line: String = chars.by_ref().take(most).collect();
    let is_cut = chars.next().is_some();
    // Makes room for the ellipsis.
    if is_cut {
        line.pop();
    }

    line.truncate(line.trim_end().len());
    if is_cut {
        line.push('…');
    }

    line
}

/// Unicode Standard Annex 9, section 2.
fn turns_direction(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

fn visible(c: char) -> char {
    // Unicode's own ends of lines and paragraphs are no control characters.
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

    #[test]
    fn what_steers_a_terminal_or_turns_the_direction_of_writing_is_escaped() {
        for (text, shown) in [
            ("", ""),
            ("é\ta\nb\r\nc", "é\ta\nb\r\nc"),
            ("a\rb", "a\\u000db"),
            ("\x1b[1m\x7f\u{9b}", "\\u001b[1m\\u007f\\u009b"),
            ("a\u{202e}b\u{2069}\u{61c}", "a\\u202eb\\u2069\\u061c"),
        ] {
            assert_eq!(for_terminal(text), shown, "{text:?}");
        }
    }

    #[test]
    fn the_user_name_and_password_of_a_url_do_not_show() {
        for (text, shown) in [
            ("http://guest:s3cret@host:80/x", "http://***@host:80/x"),
            ("http://guest:s3/c@r?t@host", "http://***@host"),
            ("redis://:s3cret@host", "redis://***@host"),
            ("redis:guest:s3cret@host", "redis:***@host"),
            ("guest:s3cret@host", "guest:***@host"),
            ("http://host:80/x", "http://host:80/x"),
            ("user@host", "user@host"),
            ("@", "@"),
            ("", ""),
        ] {
            assert_eq!(without_userinfo(text), shown, "{text}");
        }
    }

    #[test]
    fn what_is_shown_is_short_and_reorders_nothing() {
        assert_eq!(shown("a\r\nb\u{2028}c\x07", 99), "a  b c");
        assert_eq!(shown("x\u{202e}y\u{2066}z\u{200f}", 99), "xyz");
        assert_eq!(shown("héllo wörld", 7), "héllo…");
        assert_eq!(shown("héllo w", 7), "héllo w");
        assert_eq!(shown("", 7), "");
    }
}
