//! HTTPS checks against a real TLS server (OpenSSL's), with certificates good and bad.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::daemon::Daemon;
use crate::support::process::{Process, bound_to_us};
use crate::support::{PATIENCE, TempDir, wait_until};

/// An HTTPS server with a self-signed certificate for one name.
pub struct Server {
    pub address: SocketAddr,
    folder: TempDir,
    _process: Process,
}

impl Server {
    pub fn start(name: &str, key: &[&str]) -> Self {
        Self::with(name, key, &["-cipher", "DEFAULT:@SECLEVEL=0"])
    }

    /// One with these options of `openssl s_server`.
    fn with(name: &str, key: &[&str], options: &[&str]) -> Self {
        let folder = TempDir::new();
        let at = |file: &str| folder.path().join(file);
        let (subject, alternative) = (format!("/CN={name}"), format!("subjectAltName=DNS:{name}"));
        let mut make = Command::new("openssl");
        make.args([
            "req",
            "-x509",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-addext",
            &alternative,
        ]);
        // A certificate that may sign others cannot be a server's own.
        make.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        make.args(key)
            .arg("-keyout")
            .arg(at("key.pem"))
            .arg("-out")
            .arg(at("certificate.pem"));
        let made = make
            .output()
            .unwrap_or_else(|e| panic!("cannot run openssl: {e}; apt-get install openssl"));
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut serve = bound_to_us("openssl", &[]);
        // Security level 0: short keys are what some services still have.
        serve.args(["s_server", "-www", "-quiet"]);
        serve.args(options);
        serve
            .arg("-accept")
            .arg(address.to_string())
            .arg("-cert")
            .arg(at("certificate.pem"));
        serve
            .arg("-key")
            .arg(at("key.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process::spawn(&mut serve);
        let ready = || TcpStream::connect(address).is_ok();
        wait_until(PATIENCE, "openssl s_server listens", ready);
        Self {
            address,
            folder,
            _process: process,
        }
    }

    fn path(&self) -> String {
        format!("/https/web/{}/", self.address.port())
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }
}

pub const RSA: [&str; 2] = ["-newkey", "rsa:2048"];

#[test]
fn without_verification_any_certificate_will_do() {
    let daemon = Daemon::start();
    for key in [
        &RSA[..],
        &["-newkey", "rsa:1024"],
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp521r1"],
    ] {
        let server = Server::start("other.example", key);
        let answer = daemon.get(&server.path());
        assert_eq!(answer.status, 200, "{key:?}: {answer:?}");
    }
}

#[test]
fn where_the_server_has_only_what_we_lack_the_message_names_it_and_the_remedy() {
    let daemon = Daemon::start();
    for ciphers in [
        "AES128-SHA",
        "AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-RSA-AES256-SHA384",
        "DHE-RSA-AES128-GCM-SHA256",
    ] {
        let options = ["-tls1_2", "-cipher", ciphers];
        let server = Server::with("web.example", &RSA, &options);
        let told = "only CBC, DHE or RSA key exchange, or no TLS 1.2, enable ECDHE with AES-GCM";
        let tls = format!("/tls/web/{}/", server.address.port());
        daemon.get(&server.path()).says(503, told);
        daemon.get(&tls).says(503, told);
    }
    let old = ["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"];
    let old = Server::with("web.example", &RSA, &old);
    daemon.get(&old.path()).says(503, "no TLS 1.2");
    let good = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"];
    let good = Server::with("web.example", &RSA, &good);
    assert_eq!(daemon.get(&good.path()).status, 200);
}

#[test]
fn with_verification_the_certificate_must_be_trusted_and_of_the_right_name() {
    let server = Server::start("web.example", &RSA);
    let trusting = format!(
        "tls_verify: true\ntls_ca_file: {}\n",
        server.certificate().display()
    );
    let trusting = Daemon::with_config(&trusting);
    let right = trusting.get_with(&server.path(), &[("Host", "web.example")]);
    assert_eq!(right.status, 200, "{right:?}");
    trusting
        .get_with(&server.path(), &[("Host", "other.example")])
        .says(503, "TLS handshake failed");
    trusting
        .get_with(&server.path(), &[("Host", "127.0.0.1:3333")])
        .says(503, "certificate");

    let other = Server::start("web.example", &RSA);
    let strangers = format!(
        "tls_verify: true\ntls_ca_file: {}\n",
        other.certificate().display()
    );
    let answer =
        Daemon::with_config(&strangers).get_with(&server.path(), &[("Host", "web.example")]);
    answer.says(503, "certificate");
}

/// Whatever the poller's `Host`, and though the name does not lead to the server.
#[test]
fn the_host_of_a_rule_is_the_name_that_is_verified() {
    let server = Server::start("web.example", &RSA);
    let daemon = |host: &str| {
        Daemon::with_config(&format!(
            "tls_verify: true\ntls_ca_file: {}\nservices: {{web: {{http: {{request_headers: {{Host: \"{host}\"}}}}}}}}\n",
            server.certificate().display()
        ))
    };
    for poller in ["10.0.0.5:3333", "other.example"] {
        let right = daemon("web.example:8443").get_with(&server.path(), &[("Host", poller)]);
        assert_eq!(right.status, 200, "{right:?}");
    }
    daemon("other.example")
        .get_with(&server.path(), &[("Host", "web.example")])
        .says(503, "certificate");
}

#[test]
fn a_server_that_does_not_speak_tls_fails_the_check() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let talking = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 welcome to the mail\r\n").unwrap();
        let _ = stream.read(&mut [0; 1024]);
    });
    Daemon::start()
        .get(&format!("/https/web/{port}/"))
        .says(503, "TLS handshake failed");
    talking.join().unwrap();
}
