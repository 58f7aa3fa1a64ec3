//! Errors of the system as causes: for the middle of a sentence that itself says what failed, and what to do.

use std::fmt::Display;

/// The text of an error, without Rust's "(os error N)", in the middle of a sentence.
pub(crate) fn cause_text(error: impl Display) -> String {
    let text = error.to_string();
    let cause = text.split(" (os error").next();
    in_sentence(cause.unwrap_or_default())
}

/// A text that was a sentence of its own, for the middle of one; "TLS", "I/O" and the like stay.
fn in_sentence(text: &str) -> String {
    if is_abbreviation(text) {
        return text.to_owned();
    }

    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn is_abbreviation(text: &str) -> bool {
    // An ordinary word at the beginning of a sentence has one capital only.
    let second = text.chars().nth(1);
    second.is_some_and(|c| c.is_uppercase() || c == '/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Error;

    #[test]
    fn causes_are_words_for_the_middle_of_a_sentence() {
        assert_eq!(
            cause_text(Error::from_raw_os_error(13)),
            "permission denied"
        );
        assert_eq!(cause_text(Error::other("TLS is refused")), "TLS is refused");
        assert_eq!(cause_text("I/O went wrong"), "I/O went wrong");
        assert_eq!(cause_text(""), "");
    }
}
