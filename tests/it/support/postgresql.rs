//! Real PostgreSQL servers for the tests of `postgres`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::TempDir;
use super::server::{self, Server};

/// Who may come how: the first line that fits counts.
const HBA: &str = "local all postgres trust
local replication postgres trust
host all hashed 127.0.0.1/32 md5
host all plain 127.0.0.1/32 password
host all trusted 127.0.0.1/32 trust
hostnossl all guarded 127.0.0.1/32 reject
host all all 127.0.0.1/32 scram-sha-256
";

/// One server.
pub struct PostgreSql {
    server: Server,
    pub port: u16,
}

/// The folder of the server's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let found = versions
        .map(|v| v.path().join("bin"))
        .filter(|b| b.join("initdb").exists())
        .max();
    found.expect("initdb is missing: apt-get install postgresql")
}

/// A program of the server, not as root: it would refuse.
fn program(name: &str) -> Command {
    let path = programs().join(name);
    if !nix::unistd::geteuid().is_root() {
        return Command::new(path);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(path);
    command
}

fn give_away(folder: &Path) {
    if nix::unistd::geteuid().is_root() {
        server::run_to_end(
            Command::new("chown")
                .args(["-R", "postgres:postgres"])
                .arg(folder),
        );
    }
}

impl PostgreSql {
    fn start(folder: TempDir, options: &[&str]) -> Self {
        let (cert, key) = server::certificate(folder.path());
        give_away(folder.path());
        let port = server::free_port();
        let mut command = program("postgres");
        command
            .arg("-D")
            .arg(folder.path().join("data"))
            .arg("-k")
            .arg(folder.path());
        for option in [
            "listen_addresses=127.0.0.1",
            "fsync=off",
            "shared_buffers=16MB",
            "ssl=on",
            &format!("ssl_cert_file={}", cert.display()),
            &format!("ssl_key_file={}", key.display()),
            &format!("port={port}"),
        ] {
            command.args(["-c", option]);
        }
        command.args(options);
        Self {
            server: Server::start(folder, &command),
            port,
        }
    }

    /// Starts a server with a new cluster, to which those come that the lines of `pg_hba.conf` let in.
    pub fn with_hba(hba: &str) -> Self {
        let folder = TempDir::new();
        give_away(folder.path());
        let data = folder.path().join("data");
        server::run_to_end(
            program("initdb")
                .args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"])
                .arg(&data),
        );
        fs::write(data.join("pg_hba.conf"), hba).unwrap();
        let started = Self::start(folder, &[]);
        started.wait_until_it_answers();
        started
    }

    /// Starts a server that follows another one.
    pub fn replica(of: &Self, options: &[&str]) -> Self {
        let folder = TempDir::new();
        give_away(folder.path());
        let data = folder.path().join("data");
        let port = of.port.to_string();
        let mut copy = program("pg_basebackup");
        copy.arg("-h")
            .arg(of.server.folder())
            .args(["-p", &port, "-U", "postgres", "-R", "-c", "fast", "-D"]);
        server::run_to_end(copy.arg(&data));
        Self::start(folder, options)
    }

    /// Runs statements as the superuser.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        server::run_to_end(&mut self.client(statements))
    }

    fn client(&self, statements: &str) -> Command {
        let port = self.port.to_string();
        let mut client = Command::new("psql");
        client
            .arg("-h")
            .arg(self.server.folder())
            .args(["-p", &port, "-U", "postgres", "-XAtq", "-c", statements]);
        client
    }

    pub fn wait_until_it_answers(&self) {
        self.wait_for("PostgreSQL takes statements", || {
            self.client("SELECT 1").output().unwrap().status.success()
        });
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        self.server.log()
    }

    /// Waits until all connections but this one have ended.
    pub fn wait_until_nobody_is_served(&self) {
        let others = "SELECT count(*) FROM pg_stat_activity \
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        self.wait_for("nobody is served", || self.sql(others).trim() == "0");
    }

    pub fn wait_for(&self, what: &str, condition: impl FnMut() -> bool) {
        self.server.wait_for(what, condition);
    }
}

/// The server that most tests ask: a primary with accounts of all kinds.
pub fn primary() -> &'static PostgreSql {
    static SERVER: OnceLock<PostgreSql> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = PostgreSql::with_hba(HBA);
        server.sql(
            "CREATE ROLE checker LOGIN PASSWORD 's3cret'; CREATE ROLE plain LOGIN PASSWORD 's3cret';
             CREATE ROLE guarded LOGIN PASSWORD 's3cret'; CREATE ROLE trusted LOGIN;
             CREATE ROLE crowded LOGIN PASSWORD 's3cret' CONNECTION LIMIT 0;
             SET password_encryption = md5; CREATE ROLE hashed LOGIN PASSWORD 's3cret';",
        );
        for name in ["checker", "plain", "guarded", "trusted", "hashed"] {
            server.sql(&format!("CREATE DATABASE {name} TEMPLATE template0"));
        }
        server
    })
}
