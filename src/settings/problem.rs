//! Why a file is not YAML that can be used.

/// Why a text is not YAML that can be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The line from 1, where known.
    pub line: Option<usize>,
    /// The column from 1, where it helps.
    pub column: Option<usize>,
    /// What is wrong; what to do.
    pub text: String,
}

impl Problem {
    /// One of the file as a whole.
    pub(super) fn of_file(text: impl Into<String>) -> Self {
        Self {
            line: None,
            column: None,
            text: text.into(),
        }
    }

    /// One of the character that follows a text.
    pub(super) fn behind(before: &str, text: String) -> Self {
        let (line, column) = place(before);
        Self {
            line: Some(line),
            column: Some(column),
            text,
        }
    }
}

/// Line and column, from 1, of what follows the text.
fn place(before: &str) -> (usize, usize) {
    let line = before.matches('\n').count() + 1;
    let last = before.rsplit('\n').next().unwrap_or_default();
    // In characters, not bytes, as editors count.
    (line, last.chars().count() + 1)
}
