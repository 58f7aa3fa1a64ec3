//! The one kind of error that an applet ends with.

/// Why an applet could not do its work: the text for standard error, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// 1 for failed, 2 for wrong usage.
    pub code: u8,
    /// One sentence or more that name the subject and the remedy. Inside an applet without the program's name in
    /// front; `cli::main` puts it there.
    pub message: String,
}

impl Failure {
    /// The work could not be done: exit code 1.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: message.into(),
        }
    }

    /// The command line is wrong: exit code 2, and a usage line is shown.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            message: message.into(),
        }
    }
}
