//! A command as a list of words: program and arguments, never a shell.

use std::fmt;

/// The words of a command; the first one is the program.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Argv(Vec<String>);

/// Why words or a text are no command. Shown, it follows the command in a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandError {
    /// There is no first word, or it is blank.
    NoProgram,
    /// No program can be given a zero byte.
    ZeroByte,
    /// A quote is not closed.
    OpenQuote,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoProgram => "names no program",
            Self::ZeroByte => "holds a zero byte",
            Self::OpenQuote => "has a quote that is not closed",
        })
    }
}

impl std::error::Error for CommandError {}

impl Argv {
    /// Takes words as they are.
    ///
    /// # Errors
    /// [`CommandError`] where they make no command.
    pub fn new(words: Vec<String>) -> Result<Self, CommandError> {
        if !names_program(&words) {
            return Err(CommandError::NoProgram);
        }

        // The kernel ends a word at a zero byte, so another command would run.
        if words.iter().any(|word| word.contains('\0')) {
            return Err(CommandError::ZeroByte);
        }

        Ok(Self(words))
    }

    /// Splits a text as a shell would: spaces, quotes, backslashes, comments; nothing else means anything.
    ///
    /// # Errors
    /// [`CommandError`] where it makes no command.
    pub fn split(text: &str) -> Result<Self, CommandError> {
        match shell_words::split(text) {
            Ok(words) => Self::new(words),
            // The library knows no other error.
            Err(_) => Err(CommandError::OpenQuote),
        }
    }

    /// Splits a text at white space, as Python's `split()` does: quotes and backslashes mean nothing.
    ///
    /// # Errors
    /// [`CommandError`] where it makes no command.
    pub(crate) fn split_at_whitespace(text: &str) -> Result<Self, CommandError> {
        // Python counts the vertical tab, Rust does not.
        let is_space = |c: char| c.is_ascii_whitespace() || c == '\x0b';
        let words = text.split(is_space).filter(|word| !word.is_empty());
        Self::new(words.map(str::to_owned).collect())
    }

    /// Splits a text at each space, as Go's `strings.Split` does: of two spaces in a row the second one ends an empty
    /// word; tabs, quotes and backslashes mean nothing.
    ///
    /// # Errors
    /// [`CommandError`] where it makes no command.
    pub(crate) fn split_at_spaces(text: &str) -> Result<Self, CommandError> {
        Self::new(text.split(' ').map(str::to_owned).collect())
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

fn names_program(words: &[String]) -> bool {
    match words.first() {
        Some(program) => !program.trim().is_empty(),
        None => false,
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
        assert_eq!(Argv::split("a 'b").unwrap_err(), CommandError::OpenQuote);
        assert_eq!(
            Argv::split(" # nothing").unwrap_err(),
            CommandError::NoProgram
        );
        assert_eq!(Argv::split("a 'b c'").unwrap().to_string(), "a 'b c'");
    }

    /// Recorded with Python 2.7: `text.split()`.
    #[test]
    fn texts_are_split_at_whitespace_as_python_does() {
        for (text, words) in [
            ("  a\tb\n c\x0bd ", &["a", "b", "c", "d"][..]),
            (
                "touch #7 a\\b 'c d' \"",
                &["touch", "#7", "a\\b", "'c", "d'", "\""],
            ),
        ] {
            let split = Argv::split_at_whitespace(text).unwrap();
            assert_eq!(split.words(), words, "{text:?}");
        }
        let none = Argv::split_at_whitespace(" \n").unwrap_err();
        assert_eq!(none, CommandError::NoProgram);
    }

    /// Recorded with Go: `strings.Split(text, " ")`.
    #[test]
    fn texts_are_split_at_spaces_as_go_does() {
        for (text, words) in [
            ("a  b\tc ", &["a", "", "b\tc", ""][..]),
            ("s #x C:\\y 'z w'", &["s", "#x", "C:\\y", "'z", "w'"]),
        ] {
            let split = Argv::split_at_spaces(text).unwrap();
            assert_eq!(split.words(), words, "{text:?}");
        }
        assert_eq!(
            Argv::split_at_spaces(" a").unwrap_err(),
            CommandError::NoProgram
        );
    }
}
