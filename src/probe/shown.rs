//! What a peer said, as messages show it: on one line, cut to a readable length, secrets masked.

use crate::names::sort::sort_by_key;
use std::cmp::Reverse;

/// Most bytes of an answer that a message quotes.
const QUOTED: usize = 100;

/// Most bytes of a line that a contract wants in a body as it stands.
const SHOWN: usize = 400;

/// What stands for a secret.
const STARS: &[u8] = b"***";

/// An answer in quotes.
pub(super) fn quote(answer: &[u8]) -> String {
    format!("\"{}\"", show(answer, QUOTED))
}

/// A text of the poller's or the peer's, for a body that shows it as it stands.
pub(super) fn on_one_line(text: &str) -> String {
    show(text.as_bytes(), SHOWN)
}

/// Puts an answer on one line and cuts it.
fn show(answer: &[u8], max: usize) -> String {
    // Escapes make it longer, which is why bytes of the answer are counted.
    let head = &answer[..answer.len().min(max)];
    let mut text = String::new();
    for c in String::from_utf8_lossy(head).chars() {
        match c {
            // These need no escape in our messages.
            '"' | '\'' | '\\' => text.push(c),
            c => text.extend(c.escape_debug()),
        }
    }

    if answer.len() > max {
        text.push('…');
    }

    text
}

/// Masks secrets in what a peer says: some servers echo what they do not understand.
#[derive(Default)]
pub(super) struct Mask<'a> {
    /// None is empty; longer ones come first, since one may begin with another.
    secrets: Vec<&'a [u8]>,
}

impl<'a> Mask<'a> {
    /// Masks one more secret.
    pub(super) fn add(&mut self, secret: &'a str) {
        if !secret.is_empty() {
            self.secrets.push(secret.as_bytes());
            sort_by_key(&mut self.secrets, |secret| Reverse(secret.len()));
        }
    }

    /// A whole line, for a body that shows it as it stands.
    pub(super) fn show(&self, line: &[u8]) -> String {
        show(&self.apply(line, false), SHOWN)
    }

    /// An answer that may not be complete yet, in quotes; empty for no answer.
    pub(super) fn quote(&self, answer: &[u8]) -> String {
        if answer.is_empty() {
            return String::new();
        }

        // A secret that straddles the cut must be masked too.
        let longest = self.secrets.first().map_or(0, |secret| secret.len());
        let looked_at = QUOTED + longest + 1;
        let head = &answer[..answer.len().min(looked_at)];
        quote(&self.apply(head, true))
    }

    /// Replaces secrets wherever they stand. Where more may follow, a beginning of one at the end is replaced too.
    fn apply(&self, text: &[u8], more_may_follow: bool) -> Vec<u8> {
        let mut masked = Vec::with_capacity(text.len());
        let mut rest = text;
        // Byte by byte, as a secret may begin anywhere, also within what a server made of another.
        while let Some((first, tail)) = rest.split_first() {
            if let Some(after) = self.after_secret(rest) {
                masked.extend_from_slice(STARS);
                rest = after;
            } else if more_may_follow && self.may_begin(rest) {
                masked.extend_from_slice(STARS);
                break;
            } else {
                masked.push(*first);
                rest = tail;
            }
        }

        masked
    }

    /// What follows the secret that a text begins with.
    fn after_secret<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        let mut secrets = self.secrets.iter();
        secrets.find_map(|secret| text.strip_prefix(*secret))
    }

    fn may_begin(&self, end: &[u8]) -> bool {
        self.secrets.iter().any(|secret| secret.starts_with(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_shown_on_one_line_and_cut() {
        assert_eq!(
            quote(b"it's \"so\"\r\n\x00\xff\\"),
            "\"it's \"so\"\\r\\n\\0\u{fffd}\\\""
        );
        let long = quote(&[b'a'; 500]);
        assert!(long.ends_with("a…\"") && long.len() < 110, "{long}");
    }

    #[test]
    fn a_secret_is_masked_wherever_it_stands() {
        let mask = masking(&["hunter2"]);
        assert_eq!(
            mask.show(b"-ERR 'AUTH' 'hunter2' hunter2x hunter"),
            "-ERR 'AUTH' '***' ***x hunter"
        );
        assert_eq!(mask.quote(b"AUTH hunter"), "\"AUTH ***\"");
        assert_eq!(mask.quote(b"AUTH hunter2 h"), "\"AUTH *** ***\"");
        assert_eq!(Mask::default().quote(b"hunter2"), "\"hunter2\"");
    }

    #[test]
    fn each_of_several_secrets_is_masked_the_longest_first() {
        let mask = masking(&["hunter", "", "hunter2", "s3cret"]);
        assert_eq!(mask.show(b"s3cret hunter2 hunter 2"), "*** *** *** 2");
        assert_eq!(mask.quote(b"no s3c"), "\"no ***\"");
    }

    fn masking<'a>(secrets: &[&'a str]) -> Mask<'a> {
        let mut mask = Mask::default();
        for secret in secrets {
            mask.add(secret);
        }
        mask
    }

    #[test]
    fn a_secret_is_masked_where_the_quote_is_cut() {
        let mut answer = vec![b'.'; QUOTED - 3];
        answer.extend(b"hunter2 and more");
        let quoted = masking(&["hunter2"]).quote(&answer);
        assert!(!quoted.contains("hun"), "{quoted}");
    }
}
