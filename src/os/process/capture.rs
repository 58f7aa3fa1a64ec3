//! What a program writes, up to a bound.

use std::io;
use std::os::fd::OwnedFd;

use tokio::net::unix::pipe::Receiver;

/// Most bytes that are kept of each of the two outputs.
pub(super) const OUTPUT_MAX: usize = 64 << 10;

/// One output of a program, as far as it is kept.
pub(super) struct Capture {
    /// None once it is closed.
    pipe: Option<Receiver>,
    pub(super) kept: Vec<u8>,
}

impl Capture {
    pub(super) fn new(pipe: OwnedFd) -> io::Result<Self> {
        Ok(Self {
            pipe: Some(Receiver::from_owned_fd(pipe)?),
            kept: Vec::new(),
        })
    }

    /// Waits until something was read; for ever once the pipe is closed.
    pub(super) async fn fill(&mut self) {
        let Some(pipe) = &self.pipe else {
            return std::future::pending().await;
        };

        // Cancel-safe: nothing is lost if the future is dropped here.
        if pipe.readable().await.is_err() {
            self.pipe = None;
            return;
        }

        self.read();
    }

    /// Reads once; whether there may be more now.
    fn read(&mut self) -> bool {
        let Some(pipe) = &self.pipe else { return false };
        let mut buffer = [0; 8192];
        match pipe.try_read(&mut buffer) {
            // The end of the output: nobody has the pipe open for writing.
            Ok(0) => self.pipe = None,
            Ok(count) => self.keep(&buffer[..count]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
            // An error ends the reading. The result of a check is its exit code.
            Err(_) => self.pipe = None,
        }

        self.pipe.is_some()
    }

    /// Keeps what there is room for.
    fn keep(&mut self, output: &[u8]) {
        let room = OUTPUT_MAX - self.kept.len();
        let kept = &output[..output.len().min(room)];
        self.kept.extend_from_slice(kept);
    }

    /// Reads what is there, up to the bound: someone else may go on writing.
    pub(super) fn take_rest(&mut self) {
        while self.kept.len() < OUTPUT_MAX && self.read() {}
    }
}
