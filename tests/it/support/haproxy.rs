//! A real HAProxy in a temporary folder.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::client::Response;
use super::process::{Process, bound_to_us, find};
use super::{PATIENCE, TempDir, wait_until};

const MISSING: &str = "HAProxy is missing: apt-get install haproxy";

/// Has HAProxy read a file, which a failure calls `name`.
#[track_caller]
pub fn takes(file: &Path, name: &str) {
    let program = find("haproxy").expect(MISSING);
    let ran = Command::new(program).arg("-c").arg("-f").arg(file).output();
    let ran = ran.unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{name}: {said}");
}

/// A running HAProxy; it is killed when this is dropped.
pub struct Haproxy {
    pub process: Process,
    folder: TempDir,
}

impl Haproxy {
    /// Starts it with these sections below `global` and `defaults`. The frontend that a test talks to is to listen on
    /// `unix@front`, in its folder, so that no port has to be guessed.
    #[track_caller]
    pub fn start(sections: &str) -> Self {
        Self::start_as("balancer", sections)
    }

    /// The same with a node name of its own.
    #[track_caller]
    pub fn start_as(node: &str, sections: &str) -> Self {
        let program = find("haproxy").expect(MISSING);
        let folder = TempDir::new();
        let config = format!(
            "global\n  stats socket unix@stats mode 600 level admin\n  node {node}\n\
             defaults\n  mode http\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n  retries 0\n\
             {sections}"
        );
        fs::write(folder.path().join("haproxy.cfg"), &config).unwrap();
        let mut command = bound_to_us(program.to_str().unwrap(), &[]);
        let output = fs::File::create(folder.path().join("output")).unwrap();
        command
            .args(["-db", "-f", "haproxy.cfg"])
            .current_dir(folder.path())
            .stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let mut haproxy = Self {
            process: Process::spawn(&mut command),
            folder,
        };
        let deadline = PATIENCE;
        wait_until(deadline, "HAProxy listens", || {
            let said =
                || fs::read_to_string(haproxy.folder.path().join("output")).unwrap_or_default();
            assert!(
                haproxy.process.ended().is_none(),
                "HAProxy ended:\n{}\n{config}",
                said()
            );
            UnixStream::connect(haproxy.folder.path().join("stats")).is_ok()
        });
        haproxy
    }

    /// The frontend's socket.
    pub fn front(&self) -> PathBuf {
        self.folder.path().join("front")
    }

    /// The answer to a command of its admin.
    pub fn admin(&self, command: &str) -> String {
        let mut socket = UnixStream::connect(self.folder.path().join("stats")).unwrap();
        socket.write_all(format!("{command}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A column of `show stat` for a server.
    pub fn stat(&self, backend: &str, server: &str, column: &str) -> String {
        let table = self.admin("show stat");
        let (header, rows) = table.strip_prefix("# ").unwrap().split_once('\n').unwrap();
        let index = header
            .split(',')
            .position(|c| c == column)
            .unwrap_or_else(|| panic!("no {column} in {header}"));
        let row = rows
            .lines()
            .map(fields)
            .find(|row| row[0] == backend && row[1] == server);
        row.unwrap_or_else(|| panic!("no {backend}/{server} in {table}"))[index].clone()
    }

    /// Waits until a server has a status.
    #[track_caller]
    pub fn wait_for(&self, backend: &str, server: &str, status: &str) {
        let what = format!("{backend}/{server} is {status}");
        wait_until(PATIENCE, &what, || {
            self.stat(backend, server, "status") == status
        });
    }

    /// Waits until a server's last check has this status, and a result that holds a text. While the next one runs,
    /// HAProxy shows neither.
    #[track_caller]
    pub fn wait_for_check(&self, backend: &str, server: &str, status: &str, text: &str) {
        let what = format!("the check of {backend}/{server} got {status} with {text:?}");
        wait_until(PATIENCE, &what, || {
            self.stat(backend, server, "check_code") == status
                && self.stat(backend, server, "last_chk").contains(text)
        });
    }
}

/// The fields of a line of CSV, which may stand in quotes.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

/// One request of a client through a frontend; an error says what went wrong.
pub fn through(front: &std::path::Path) -> Result<Response, String> {
    let fail = |e: std::io::Error| e.to_string();
    let mut stream = UnixStream::connect(front).map_err(fail)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(fail)?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: front\r\nConnection: close\r\n\r\n")
        .map_err(fail)?;
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).map_err(fail)?;
    let response = super::client::split_head(&raw).map(|_| Response::parse(&raw));
    response
        .filter(|r| r.status == 200)
        .ok_or_else(|| String::from_utf8_lossy(&raw).into_owned())
}
