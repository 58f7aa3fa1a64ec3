//! A command as a list of words: program and arguments, never a shell.

use std::fmt;

/// The words of a command; the first one is the program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Argv(Vec<String>);

impl Argv {
    /// Takes words as they are.
    ///
    /// # Errors
    /// What cannot be in them, to follow the command in a sentence.
    pub fn new(words: Vec<String>) -> Result<Self, &'static str> {
        if words
            .first()
            .is_none_or(|program| program.trim().is_empty())
        {
            return Err("names no program");
        }
        if words.iter().any(|w| w.contains('\0')) {
            return Err("holds a zero byte");
        }
        Ok(Self(words))
    }

    /// Splits a text as a shell would: spaces, quotes, backslashes, comments; nothing else means anything.
    ///
    /// # Errors
    /// What is wrong with it, to follow the command in a sentence.
    pub fn split(text: &str) -> Result<Self, &'static str> {
        Self::new(shell_words::split(text).map_err(|_| "has a quote that is not closed")?)
    }

    /// The program: a path, or a name that is looked for in `$PATH`.
    #[must_use]
    pub fn program(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }

    /// What follows it.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        self.0.get(1..).unwrap_or_default()
    }

    /// All words.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Argv {
    /// As it could be typed into a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_words::join(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_as_a_shell_would() {
        for (text, words) in [
            ("cmd --flag 'a b'", &["cmd", "--flag", "a b"][..]),
            ("  a\t\"b \\\" $c\" d\\ e ''", &["a", "b \" $c", "d e", ""]),
            ("a|b >c $(d) *", &["a|b", ">c", "$(d)", "*"]),
        ] {
            assert_eq!(Argv::split(text).unwrap().words(), words, "{text}");
        }
        assert_eq!(
            Argv::split("a 'b").unwrap_err(),
            "has a quote that is not closed"
        );
        assert_eq!(Argv::split(" # nothing").unwrap_err(), "names no program");
        assert_eq!(
            Argv::split("a '").map(|a| a.to_string()),
            Err("has a quote that is not closed")
        );
        assert_eq!(Argv::split("a 'b c'").unwrap().to_string(), "a 'b c'");
    }
}
