//! A terminal as an operator has it: a shell in tmux, whose screen and history can be read.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hacheck::cli::APPLETS;

use super::daemon::Daemon;
use super::process::{Process, bound_to_us, find};
use super::{BINARY, PATIENCE, TempDir, wait_until, write_program};

/// What the shell says when it waits for a command.
const PROMPT: &str = "$";

pub struct Tmux {
    program: PathBuf,
    folder: TempDir,
    _server: Process,
}

impl Tmux {
    /// A shell on a screen of this size, in which the names of the binary are commands for this daemon.
    #[track_caller]
    pub fn start(columns: u16, rows: u16, daemon: &Daemon) -> Self {
        let program = find("tmux").expect("tmux is missing: apt-get install tmux");
        let folder = TempDir::new();
        let names = folder.path().join("names");
        write_names(&names, daemon);
        let mut server = bound_to_us(program.to_str().unwrap(), &[]);
        server.arg("-D").arg("-S").arg(folder.path().join("socket"));
        server.args(["-f", "/dev/null"]).stdin(Stdio::null());
        let tmux = Self {
            program,
            _server: Process::spawn(&mut server),
            folder,
        };
        let socket = tmux.folder.path().join("socket");
        wait_until(PATIENCE, "tmux listens", || {
            UnixStream::connect(&socket).is_ok()
        });
        let (columns, rows) = (columns.to_string(), rows.to_string());
        tmux.tell(&["set-option", "-g", "status", "off"]);
        let mut session = vec!["new-session", "-d", "-x", &columns, "-y", &rows];
        let environment = environment(&names);
        session.extend(["env", "-i"]);
        session.extend(environment.iter().map(String::as_str));
        session.extend(["bash", "--norc", "--noprofile"]);
        tmux.tell(&session);
        tmux.tell(&["resize-window", "-x", &columns, "-y", &rows]);
        tmux.wait_for(PROMPT);
        tmux
    }

    fn tell(&self, words: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.arg("-S").arg(self.folder.path().join("socket"));
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "tmux {words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Types a command, and Enter.
    pub fn type_line(&self, line: &str) {
        self.type_text(line);
        self.press("Enter");
    }

    /// Types a text.
    pub fn type_text(&self, text: &str) {
        self.tell(&["send-keys", "-l", text]);
    }

    /// A key by its name in tmux, such as `C-c`.
    pub fn press(&self, key: &str) {
        self.tell(&["send-keys", key]);
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tell(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// What the screen shows.
    pub fn screen(&self) -> Vec<String> {
        lines(&self.tell(&["capture-pane", "-p"]))
    }

    /// The same with what makes text bold.
    pub fn screen_with_escapes(&self) -> String {
        self.tell(&["capture-pane", "-p", "-e"])
    }

    /// What it shows, and all that has scrolled out of it.
    pub fn all(&self) -> Vec<String> {
        lines(&self.tell(&["capture-pane", "-p", "-S", "-"]))
    }

    /// The same, lines that the screen had to wrap in one piece.
    pub fn unwrapped(&self) -> Vec<String> {
        lines(&self.tell(&["capture-pane", "-p", "-J", "-S", "-"]))
    }

    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, |screen| screen.iter().any(|line| line.contains(text)));
    }

    /// Waits until a condition holds for the screen, which is shown when it does not in time.
    #[track_caller]
    pub fn wait_until(&self, what: &str, condition: impl Fn(&[String]) -> bool) {
        let start = Instant::now();
        while !condition(&self.screen()) {
            let all = self.all();
            assert!(start.elapsed() < PATIENCE, "not in time: {what}: {all:#?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the shell waits for the next command.
    #[track_caller]
    pub fn wait_for_prompt(&self) {
        self.wait_until("the command ends", |screen| {
            screen.last().is_some_and(|line| line == PROMPT)
        });
    }
}

fn environment(names: &Path) -> Vec<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let names = names.display();
    vec![
        format!("PATH={names}:{path}"),
        format!("HOME={names}"),
        format!("PS1={PROMPT} "),
        "SUDO_USER=alice".to_owned(),
        "TERM=screen".to_owned(),
        "LC_ALL=C.UTF-8".to_owned(),
        "TZ=UTC0".to_owned(),
    ]
}

/// Makes the names of the binary commands that speak to this daemon about its spool.
fn write_names(folder: &Path, daemon: &Daemon) {
    fs::create_dir(folder).unwrap();
    let (port, root) = (daemon.address.port(), daemon.spool.root());
    for alias in APPLETS.iter().filter_map(|applet| applet.alias) {
        let script = format!(
            "#!/bin/bash\nexec -a {alias} {BINARY} -p {port} --spool-root {} \"$@\"\n",
            root.display()
        );
        write_program(&folder.join(alias), &script);
    }
    let script = format!(
        "#!/bin/bash\ncase $1 in up | down | status | downed | list | roll)\n  set -- \"$1\" -p {port} --spool-root {} \"${{@:2}}\"\n\
         esac\nexec {BINARY} \"$@\"\n",
        root.display()
    );
    write_program(&folder.join("hacheck"), &script);
}

/// Without the empty ones at the end.
fn lines(text: &str) -> Vec<String> {
    let lines = text.trim_end().lines().map(str::trim_end);
    lines.map(str::to_owned).collect()
}
