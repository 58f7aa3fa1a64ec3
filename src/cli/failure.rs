//! The one error of the applets: a text and an exit code.

use std::fmt::{self, Display};

/// Why an applet could not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code: 1 for failed, 2 for wrong usage.
    pub code: u8,
    /// What standard error is told: subject, what is wrong, remedy. Inside an applet without the
    /// program's name in front; `cli::main` puts it there.
    pub message: String,
}

impl Failure {
    /// The work could not be done.
    pub(crate) fn failed(message: impl Display) -> Self {
        Self {
            code: 1,
            message: message.to_string(),
        }
    }

    /// The command line is wrong; a usage line is shown, too.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self {
            code: 2,
            message: message.to_string(),
        }
    }

    /// Adds a line, such as one that tells the state that is left behind.
    pub(crate) fn and_line(mut self, line: impl Display) -> Self {
        self.message = format!("{}\n{line}", self.message);
        self
    }

    /// Fails with all of several failures, each on its own lines; succeeds where there are none.
    pub(crate) fn unless_empty(failures: &[Self]) -> Result<(), Self> {
        if failures.is_empty() {
            return Ok(());
        }

        let messages: Vec<&str> = failures.iter().map(|f| f.message.as_str()).collect();
        Err(Self::failed(messages.join("\n")))
    }

    /// The failure as it is shown: each line behind the program's name, and a usage line where the
    /// usage was wrong.
    pub(crate) fn shown_by(self, program: &str, usage: Option<&str>) -> Self {
        let lines = behind_name(program, &self.message);
        let message = match usage {
            Some(usage) if self.code == 2 => format!("{lines}\nusage: {program} {usage}"),
            _ => lines,
        };
        Self { message, ..self }
    }
}

/// A text with a program's name in front of each line, as several programs may write to one terminal or one log.
pub(crate) fn behind_name(program: &str, text: &str) -> String {
    let next_line = format!("\n{program}: ");
    let lines = text.replace('\n', &next_line);
    format!("{program}: {lines}")
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// A [`Failure`] that could not do its work, with a formatted message.
macro_rules! failed {
    ($($message:tt)*) => { $crate::cli::failure::Failure::failed(format!($($message)*)) };
}
pub(crate) use failed;

/// A [`Failure`] for a wrong command line, with a formatted message.
macro_rules! usage {
    ($($message:tt)*) => { $crate::cli::failure::Failure::usage(format!($($message)*)) };
}
pub(crate) use usage;
