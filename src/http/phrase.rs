//! Reason phrases of status lines (RFC 9112 section 4), made of any text.

/// The longest phrase, in bytes.
const MAX: usize = 100;

/// A text as a reason phrase: printable ASCII on one line, at most 100 bytes; `None` when nothing is left of it.
/// HAProxy shows it in its log and its statistics.
#[must_use]
pub(crate) fn reason_phrase(text: &str) -> Option<String> {
    // Cut first: the text may be the reason of a downtime, which has up to 256 KiB.
    let text: String = text.trim().chars().take(MAX).map(printable).collect();
    match text.trim() {
        "" => None,
        phrase => Some(phrase.to_owned()),
    }
}

fn printable(c: char) -> char {
    match c {
        ' '..='~' => c,
        // These end lines for some readers of the log.
        '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => ' ',
        // RFC 9112 allows bytes above 0x7f ("obs-text") but does not define their encoding.
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_phrase_is_short_and_printable() {
        assert_eq!(
            reason_phrase(" de\r\nploy\u{e9}\x07 ").as_deref(),
            Some("de  ploy?")
        );
        assert_eq!(reason_phrase("\n \t"), None);
        let long = reason_phrase(&"x".repeat(5000));
        assert_eq!(long.map(|p| p.len()), Some(100));
    }
}
