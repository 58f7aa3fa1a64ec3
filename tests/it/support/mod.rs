//! What the tests share: running the binary and the daemon, servers to check, temporary folders, waiting for a
//! condition.

pub mod authority;
pub mod balancer;
pub mod browser;
pub mod cases;
pub mod checks;
pub mod client;
pub mod daemon;
pub mod etcd;
pub mod fleet;
pub mod haproxy;
pub mod http2;
pub mod load;
pub mod mounts;
pub mod namespace;
pub mod package;
pub mod passed;
pub mod postgresql;
pub mod probing;
pub mod process;
pub mod random;
pub mod root;
pub mod running;
pub mod server;
mod temp;
pub mod terminal;
pub mod tmux;
pub mod upstream;
pub mod waiting;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

pub use temp::TempDir;

/// How long what a test waits for may take: far longer than it ever takes, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_hacheck");

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// Checks exit code and standard output, and that standard error is empty.
    #[track_caller]
    pub fn is(&self, code: i32, out: &str) {
        assert_eq!(
            (self.code, self.out.as_str(), self.err.as_str()),
            (Some(code), out, "")
        );
    }

    /// Checks the exit code alone.
    #[track_caller]
    pub fn code_is(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self:?}");
    }

    /// Checks exit code and standard output, and that standard error holds a text.
    #[track_caller]
    pub fn is_with(&self, code: i32, out: &str, err: &str) {
        assert_eq!(
            (self.code, self.out.as_str()),
            (Some(code), out),
            "standard error: {}",
            self.err
        );
        assert!(
            self.err.contains(err),
            "expected in standard error: {err:?}\ngot: {}",
            self.err
        );
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Self {
            code: output.status.code(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// The binary, called by a name, as no user in particular.
pub fn command(name: &str) -> Command {
    let mut command = Command::new(BINARY);
    command
        .arg0(name)
        .stdin(Stdio::null())
        .env_remove("SUDO_USER")
        .env_remove("SSH_USER")
        .env("TZ", "UTC0");
    command
}

/// Copies the binary, in a process of its own: a copy that this one held open for writing while another test forks
/// could not be run ("text file busy").
pub fn copy_binary(to: &Path) {
    assert!(
        Command::new("cp")
            .arg(BINARY)
            .arg(to)
            .status()
            .unwrap()
            .success()
    );
}

/// Shell: waits for a file, and gives up after some minutes, as nobody makes one where the test was killed.
macro_rules! until_there {
    ($file:literal) => {
        concat!(
            "n=0; until [ -e ",
            $file,
            " ]; do n=$((n + 1)); [ $n -lt 20000 ] || exit 99; sleep 0.02; done"
        )
    };
}
pub(crate) use until_there;

/// Writes a script that can be run.
pub fn write_program(path: &Path, script: &str) {
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs the binary, called by a name.
pub fn run(name: &str, args: &[&str]) -> Ran {
    command(name).args(args).output().unwrap().into()
}

/// A spool folder of a test's own.
pub struct Spool {
    folder: TempDir,
}

impl Spool {
    /// An empty one.
    pub fn new() -> Self {
        let spool = Self::missing();
        fs::create_dir(spool.root()).unwrap();
        spool
    }

    /// One that is not there yet.
    pub fn missing() -> Self {
        Self {
            folder: TempDir::new(),
        }
    }

    /// The folder around the spool.
    pub fn outside(&self) -> &Path {
        self.folder.path()
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// The names of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        let name = |e: std::io::Result<fs::DirEntry>| e.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<_> = fs::read_dir(self.root()).unwrap().map(name).collect();
        names.sort();
        names
    }

    /// A file's JSON.
    pub fn json(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// The binary, called by a name, on this spool.
    pub fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = command(name);
        command.arg("--spool-root").arg(self.root()).args(args);
        command
    }

    pub fn run(&self, name: &str, args: &[&str]) -> Ran {
        self.command(name, args).output().unwrap().into()
    }
}

/// The time of day as the spool writes it.
pub fn unix_now() -> f64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64()
}

/// After how many seconds a probe timed out, by what is said of it. Its deadline is the least; how much later that was
/// noticed depends on what else the machine does.
#[track_caller]
pub fn timed_out_after(text: &str) -> f64 {
    let (_, rest) = text
        .split_once("timed out after ")
        .unwrap_or_else(|| panic!("nothing timed out: {text:?}"));
    let end = rest.find('s').unwrap_or(rest.len());
    rest[..end].parse().unwrap()
}

/// Does something on a runtime of its own.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(work)
}

/// Waits until a condition holds, and fails when it does not in time.
#[track_caller]
pub fn wait_until(deadline: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < deadline,
            "not within {deadline:?}: {what}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}
