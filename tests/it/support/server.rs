//! Real servers for tests: started once per run, killed and cleaned up when the tests' process ends, however it ends.

use std::fs::File;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::random::Random;
use super::{TempDir, unix_now};

/// Waits for the end of its input, which is the end of the tests, then kills the server and removes its folder.
const GUARD: &str =
    r#"dir=$1; shift; "$@" </dev/null & pid=$!; read _; kill -KILL $pid; wait $pid; rm -rf "$dir""#;

/// How long a server may take to start.
pub const START: Duration = Duration::from_secs(60);

/// A running server with a folder of its own.
pub struct Server {
    guard: Child,
    folder: TempDir,
}

impl Server {
    /// Starts a program that stays in the foreground; its output goes to `log` in the folder.
    pub fn start(folder: TempDir, command: &Command) -> Self {
        let log = File::create(folder.path().join("log")).unwrap();
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(folder.path())
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        Self { guard, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.path().join("log")).unwrap_or_default())
            .into_owned()
    }

    /// Waits until the server does its work, and shows its log when it does not.
    #[track_caller]
    pub fn wait_for(&self, what: &str, mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(
                start.elapsed() < START,
                "not within {START:?}: {what}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A free port, of those that the kernel gives to nobody of its own accord. It is the caller's for as long as the tests
/// run: a name in the abstract socket namespace, as the cases in Python use it too, tells others that it is taken.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let mut random = Random::new(unix_now().to_bits());
    loop {
        let port = 20_000 + u16::try_from(random.below(12_000)).unwrap();
        let name = format!("hacheck-test-port-{port}");
        let name = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
        let Ok(mark) = UnixListener::bind_addr(&name) else {
            continue;
        };
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            TAKEN.lock().unwrap().push(mark);
            return port;
        }
    }
}

/// Fails with what to install when a program is not there.
#[track_caller]
pub fn require(program: &str, package: &str) {
    assert!(
        Path::new(program).exists(),
        "{program} is missing: apt-get install {package}"
    );
}

/// Runs a command to its end, and fails with its output when it fails.
#[track_caller]
pub fn run_to_end(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// A self-signed certificate and its key, as `cert.pem` and `key.pem` in a folder.
pub fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    require("/usr/bin/openssl", "openssl");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    run_to_end(
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
            ])
            .args([
                "-addext",
                "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
            ])
            .arg(&key)
            .arg("-out")
            .arg(&cert),
    );
    (cert, key)
}

/// A peer that does what a test says with each connection, in a thread of its own. Returns its port.
pub fn peer(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = std::sync::Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = std::sync::Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

/// Sends bytes one by one, slowly, until the other side has had enough.
pub fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
