//! The daemon's answers, asked for by a thread: a daemon that hangs must not keep anybody from quitting.

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use crate::cli::client::{ANSWER_TIME, DaemonClient, DaemonError};
use crate::cli::failure::{Failure, failed};
use crate::ledger::overview::Overview;
use crate::os::cause::cause_text;

/// From one answer to the next question.
const EVERY: Duration = Duration::from_secs(2);

/// An answer, or why there is none.
pub(super) type Answer = Result<Overview, DaemonError>;

/// The answers, as they come.
pub(super) struct Answers {
    answers: Receiver<Answer>,
    /// Has a byte for each answer, so that it can be waited for beside keys.
    bell: PipeReader,
}

impl Answers {
    /// Asks about these services until this process ends.
    pub(super) fn ask_for_ever(
        client: DaemonClient,
        services: Vec<String>,
    ) -> Result<Self, Failure> {
        let (tell, answers) = mpsc::channel();
        let (bell, ring) = std::io::pipe().map_err(|e| cannot_ask(&e))?;
        let audience = Audience { tell, ring };
        let ask = move || ask_while_heard(client, &services, audience);
        let thread = std::thread::Builder::new().name("answers".into());
        thread.spawn(ask).map_err(|e| cannot_ask(&e))?;
        Ok(Self { answers, bell })
    }

    /// The next answer; `None` where the bell rang for nothing.
    pub(super) fn next(&mut self) -> Option<Answer> {
        // What is read is one byte of those that are there.
        let _ = self.bell.read(&mut [0]);
        self.answers.try_recv().ok()
    }
}

/// Who hears the answers.
struct Audience {
    tell: Sender<Answer>,
    ring: PipeWriter,
}

impl Audience {
    /// Whether the answer was heard.
    fn hear(&mut self, answer: Answer) -> bool {
        // The bell last: whoever it wakes finds the answer.
        self.tell.send(answer).is_ok() && self.ring.write_all(&[0]).is_ok()
    }
}

fn ask_while_heard(client: DaemonClient, services: &[String], mut audience: Audience) {
    while audience.hear(client.overview(services, ANSWER_TIME)) {
        std::thread::sleep(EVERY);
    }
}

impl AsFd for Answers {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

fn cannot_ask(e: &std::io::Error) -> Failure {
    failed!("cannot ask the daemon: {}", cause_text(e))
}
