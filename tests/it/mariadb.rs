//! Real MariaDB servers for the tests of `mysql`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::TempDir;
use crate::support::server::{self, Server};

/// One server.
pub struct MariaDb {
    server: Server,
    pub port: u16,
}

/// A data folder right after its installation, to copy from.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<(Server, PathBuf)> = OnceLock::new();
    &FOLDER
        .get_or_init(|| {
            server::require("/usr/sbin/mariadbd", "mariadb-server");
            let folder = TempDir::new();
            let data = folder.path().join("data");
            server::run_to_end(
                Command::new("mariadb-install-db")
                    .args([
                        "--no-defaults",
                        "--user=root",
                        "--skip-test-db",
                        "--innodb-log-file-size=8M",
                    ])
                    .arg("--auth-root-authentication-method=normal")
                    .arg(format!("--datadir={}", data.display())),
            );
            // The guard of a server that does nothing removes the folder at the end.
            let mut nothing = Command::new("sleep");
            nothing.arg("infinity");
            (Server::start(folder, &nothing), data)
        })
        .1
}

impl MariaDb {
    /// Starts a server with more options.
    pub fn start(options: &[&str]) -> Self {
        let folder = TempDir::new();
        let data = folder.path().join("data");
        server::run_to_end(Command::new("cp").arg("-a").arg(installed()).arg(&data));
        let (cert, key) = server::certificate(folder.path());
        let port = server::free_port();
        let mut command = Command::new("/usr/sbin/mariadbd");
        command
            .args([
                "--no-defaults",
                "--user=root",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
            ])
            .args([
                "--innodb-log-file-size=8M",
                "--innodb-buffer-pool-size=16M",
                "--innodb-flush-log-at-trx-commit=0",
            ])
            .arg("--plugin-load-add=auth_ed25519")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!(
                "--socket={}",
                folder.path().join("socket").display()
            ))
            .arg(format!(
                "--pid-file={}",
                folder.path().join("pid").display()
            ))
            .arg(format!("--ssl-cert={}", cert.display()))
            .arg(format!("--ssl-key={}", key.display()))
            .arg(format!("--port={port}"))
            .args(options);
        let started = Self {
            server: Server::start(folder, &command),
            port,
        };
        started.server.wait_for("MariaDB takes statements", || {
            !started.sql_fails("SELECT 1")
        });
        started
    }

    /// Runs statements as root, and gives their answers as lines with tabs.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        server::run_to_end(&mut self.client(statements))
    }

    /// Whether statements are refused.
    pub fn sql_fails(&self, statements: &str) -> bool {
        !self.client(statements).output().unwrap().status.success()
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.server.folder().join("socket")
    }

    /// The certificate that it shows.
    pub fn certificate(&self) -> PathBuf {
        self.server.folder().join("cert.pem")
    }

    fn client(&self, statements: &str) -> Command {
        let socket = self.server.folder().join("socket");
        let mut client = Command::new("mariadb");
        client.args([
            "--no-defaults",
            "--batch",
            "--user=root",
            "--execute",
            statements,
        ]);
        client.arg(format!("--socket={}", socket.display()));
        client
    }

    pub fn wait_for(&self, what: &str, condition: impl FnMut() -> bool) {
        self.server.wait_for(what, condition);
    }

    pub fn log(&self) -> String {
        self.server.log()
    }
}

/// The server that most tests ask: a primary with accounts of all kinds.
pub fn primary() -> &'static MariaDb {
    static SERVER: OnceLock<MariaDb> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = MariaDb::start(&["--log-bin=binlog", "--server-id=1", "--log-warnings=2"]);
        server.sql(
            "CREATE USER checker@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('s3cret');
             CREATE USER modern@'%' IDENTIFIED VIA ed25519 USING PASSWORD('s3cret');
             CREATE USER guarded@'%' IDENTIFIED BY 's3cret' REQUIRE SSL;
             CREATE USER counted@'%' IDENTIFIED BY 's3cret' REQUIRE SSL;
             CREATE USER monitor@'%' IDENTIFIED BY 's3cret';
             GRANT REPLICATION CLIENT, REPLICATION SLAVE, SLAVE MONITOR ON *.* TO monitor@'%';",
        );
        server
    })
}
