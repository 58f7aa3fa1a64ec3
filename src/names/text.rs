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

/// A text in which the user name and password of a URL do not show: `http://***@host`.
///
/// Rule: what could be a part of them never shows. So all from the scheme to the last `@` counts as theirs.
#[must_use]
pub fn without_userinfo(text: &str) -> String {
    let Some((before, host)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let Some((scheme, hidden)) = before.split_once(':') else {
        return text.to_owned();
    };
    let slashes = if hidden.starts_with("//") { "//" } else { "" };
    format!("{scheme}:{slashes}***@{host}")
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
}
