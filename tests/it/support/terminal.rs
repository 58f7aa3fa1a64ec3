//! A terminal of its own for a command, whose screen can be read.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, tcgetattr};

use super::process::{Process, bound_to_us};
use super::{BINARY, PATIENCE, wait_until};

/// The screen that it starts with.
const SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};

pub struct Terminal {
    process: Process,
    keys: File,
    /// The command's side, kept open so that its state can be looked at.
    its: OwnedFd,
    output: Arc<Mutex<Vec<u8>>>,
    before: LocalFlags,
}

impl Terminal {
    /// Runs `hacheck` on it.
    pub fn run(args: &[&str]) -> Self {
        Self::run_as("xterm", args)
    }

    /// The same on another kind of terminal.
    pub fn run_as(kind: &str, args: &[&str]) -> Self {
        Self::run_with(&[("TERM", kind)], args)
    }

    /// The same with these variables.
    pub fn run_with(variables: &[(&str, &str)], args: &[&str]) -> Self {
        let OpenptyResult { master, slave } = openpty(&SIZE, None).unwrap();
        let before = tcgetattr(&slave).unwrap().local_flags;
        let mut command = bound_to_us("setsid", &[]);
        command.args(["--ctty", BINARY]).args(args);
        command.env("TERM", "xterm").env("TZ", "UTC0");
        command
            .env_remove("NO_COLOR")
            .envs(variables.iter().copied());
        let its = || slave.try_clone().unwrap();
        command.stdin(its()).stdout(its()).stderr(its());
        let process = Process::spawn(&mut command);
        drop(command);
        let keys = File::from(master);
        let output = Arc::default();
        let (mut reader, shared) = (keys.try_clone().unwrap(), Arc::clone(&output));
        thread::spawn(move || read_all(&mut reader, &shared));
        Self {
            process,
            keys,
            its: slave,
            output,
            before,
        }
    }

    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Gives it another size, as dragging its corner does.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let mut stty = Command::new("stty");
        stty.args(["cols", &columns, "rows", &rows]);
        stty.stdin(self.its.try_clone().unwrap());
        assert!(stty.status().unwrap().success());
    }

    /// The exit code, when the command has ended.
    #[track_caller]
    pub fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        wait_until(PATIENCE, "the command ends", || {
            code = self.process.ended();
            code.is_some()
        });
        code?.code()
    }

    /// Everything that was written to it.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// The lines of the last picture that was drawn to its end: of the next one a part may be there.
    pub fn screen(&self) -> Vec<String> {
        let output = self.output();
        let (drawn, _) = output.rsplit_once("\x1b[J").unwrap_or_default();
        let complete = drawn.rsplit("\x1b[H").next().unwrap_or_default();
        // The terminal itself puts a carriage return before each end of a line.
        let lines = complete.split('\n').map(|line| line.trim_end_matches('\r'));
        lines.map(without_escapes).collect()
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        wait_until(PATIENCE, text, || {
            self.screen().iter().any(|line| line.contains(text))
        });
    }

    /// Waits until this was written to it, on whichever screen.
    #[track_caller]
    pub fn wait_until_output(&self, text: &str) {
        wait_until(PATIENCE, text, || self.output().contains(text));
    }

    /// Waits until all is as it was: what the command wrote last may still be on its way.
    #[track_caller]
    pub fn is_given_back(&self) {
        wait_until(PATIENCE, "the terminal is given back", || {
            self.is_as_before()
        });
    }

    /// Whether its keys are what they were, and the screen and the cursor are given back.
    pub fn is_as_before(&self) -> bool {
        let output = self.output();
        let [taken, given] = ["\x1b[?1049h", "\x1b[?1049l"].map(|s| output.matches(s).count());
        let [hidden, back] = ["\x1b[?25l", "\x1b[?25h"].map(|s| output.matches(s).count());
        tcgetattr(&self.its).unwrap().local_flags == self.before
            && (taken, hidden) == (given, back)
            && taken > 0
    }
}

fn read_all(reader: &mut File, output: &Mutex<Vec<u8>>) {
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = reader.read(&mut part) {
        output.lock().unwrap().extend_from_slice(&part[..length]);
    }
}

/// A line without what steers a terminal.
fn without_escapes(line: &str) -> String {
    let mut parts = line.split('\x1b');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic());
        text.push_str(end.map_or("", |end| &part[end + 1..]));
    }
    text
}
