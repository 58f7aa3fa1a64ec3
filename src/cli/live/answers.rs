//! Answers, asked for by a thread: whoever hangs must not keep anybody from quitting.

use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use crate::cli::failure::{Failure, failed};
use crate::os::cause::cause_text;

/// From one answer to the next question.
const EVERY: Duration = Duration::from_secs(2);

/// The answers, as they come.
pub(super) struct Answers<A> {
    answers: Receiver<A>,
    /// Has a byte for each answer, so that it can be waited for beside keys.
    bell: PipeReader,
}

impl<A: Send + 'static> Answers<A> {
    /// Asks until this process ends.
    pub(super) fn ask_for_ever(ask: impl FnMut() -> A + Send + 'static) -> Result<Self, Failure> {
        let (tell, answers) = mpsc::channel();
        let (bell, ring) = std::io::pipe().map_err(|e| cannot_ask(&e))?;
        let audience = Audience { tell, ring };
        let thread = std::thread::Builder::new().name("answers".into());
        let asking = thread.spawn(move || ask_while_heard(ask, audience));
        asking.map_err(|e| cannot_ask(&e))?;
        Ok(Self { answers, bell })
    }

    /// The next answer; `None` where the bell rang for nothing.
    pub(super) fn next(&mut self) -> Option<A> {
        // What is read is one byte of those that are there.
        let _ = self.bell.read(&mut [0]);
        self.answers.try_recv().ok()
    }
}

/// Who hears the answers.
struct Audience<A> {
    tell: Sender<A>,
    ring: PipeWriter,
}

impl<A> Audience<A> {
    /// Whether the answer was heard.
    fn hear(&mut self, answer: A) -> bool {
        // The bell last: whoever it wakes finds the answer.
        self.tell.send(answer).is_ok() && self.ring.write_all(&[0]).is_ok()
    }
}

fn ask_while_heard<A>(mut ask: impl FnMut() -> A, mut audience: Audience<A>) {
    while audience.hear(ask()) {
        std::thread::sleep(EVERY);
    }
}

impl<A> AsFd for Answers<A> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

fn cannot_ask(e: &std::io::Error) -> Failure {
    failed!("cannot begin to ask: {}", cause_text(e))
}
