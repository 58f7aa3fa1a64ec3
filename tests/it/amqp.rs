//! `amqp`, against a real RabbitMQ and peers that misbehave.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use crate::support::checks::{check, check_by, fails_on_misbehaving_peers, peer, scripted};
use crate::support::server::{Server, certificate, free_port, require};
use crate::support::{PATIENCE, TempDir};

const RABBITMQ: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

const EPMD: &str = "/usr/bin/epmd";

const ALLOWED: &str = "login_to: [127.0.0.1]";

/// A broker for user `probe`, on a port for anybody and on one for TLS.
struct Broker {
    server: Server,
    port: u16,
    tls_port: u16,
    /// Nodes find each other by it. It is here so that no broker starts one that stays.
    _epmd: Server,
}

impl Broker {
    fn start() -> Self {
        require(RABBITMQ, "rabbitmq-server");
        let (folder, ports) = (TempDir::new(), [(); 4].map(|()| free_port()));
        let [port, tls_port, epmd_port, distribution] = ports;
        fs::write(
            folder.file("rabbit.conf"),
            config(folder.path(), port, tls_port),
        )
        .unwrap();
        fs::write(folder.file("plugins"), "").unwrap();
        let epmd = epmd(epmd_port);
        let command = command(folder.path(), epmd_port, distribution);
        let server = Server::start(folder, &command);
        let listens = || TcpStream::connect(("127.0.0.1", tls_port)).is_ok();
        server.wait_for("RabbitMQ listens", listens);
        Self {
            server,
            port,
            tls_port,
            _epmd: epmd,
        }
    }
}

fn config(folder: &Path, port: u16, tls_port: u16) -> String {
    let (cert, key) = certificate(folder);
    format!(
        "listeners.tcp.1 = 127.0.0.1:{port}\nlisteners.ssl.1 = 127.0.0.1:{tls_port}\n\
         ssl_options.certfile = {}\nssl_options.keyfile = {}\nssl_options.verify = verify_none\n\
         log.console = true\nlog.file = false\n\
         default_user = probe\ndefault_pass = s3same-words\n",
        cert.display(),
        key.display()
    )
}

fn epmd(port: u16) -> Server {
    let mut command = Command::new(EPMD);
    command.args(["-address", "127.0.0.1", "-port", &port.to_string()]);
    let server = Server::start(TempDir::new(), &command);
    let listens = || TcpStream::connect(("127.0.0.1", port)).is_ok();
    server.wait_for("epmd listens", listens);
    server
}

fn command(folder: &Path, epmd: u16, distribution: u16) -> Command {
    let folder = folder.display();
    let mut command = Command::new("/usr/bin/env");
    command.args(["ERL_EPMD_ADDRESS=127.0.0.1", "RABBITMQ_ALLOW_INPUT=1"]);
    command.arg(format!("ERL_EPMD_PORT={epmd}"));
    command.arg(format!("RABBITMQ_DIST_PORT={distribution}"));
    command.arg(format!("RABBITMQ_NODENAME=test{distribution}@localhost"));
    for (variable, file) in [
        ("HOME", ""),
        ("RABBITMQ_MNESIA_BASE", "/data"),
        ("RABBITMQ_LOG_BASE", "/logs"),
        ("RABBITMQ_CONFIG_FILE", "/rabbit"),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", "/plugins"),
        ("RABBITMQ_CONF_ENV_FILE", "/none"),
        ("RABBITMQ_PID_FILE", "/pid"),
    ] {
        command.arg(format!("{variable}={folder}{file}"));
    }
    command.args([RABBITMQ, "-noinput"]);
    command
}

#[test]
fn a_real_rabbitmq_is_greeted_or_logged_in_to() {
    let broker = Broker::start();
    let path = format!("/amqp/mq/{}", broker.port);
    let started = "Sent the header of AMQP 0-9-1, got back connection.start";
    check(&path).is(200, started);
    let by = |login: &str| format!("{ALLOWED}\nservices: {{mq: {{login: {login}}}}}");
    let probe = by("{username: probe, password: s3same-words}");
    check_by(&probe, &path).is(200, "Logged in to vhost /");
    check_by(&probe, &format!("{path}?vhost=%2F")).is(200, "Logged in to vhost /");
    check_by(&probe, &format!("{path}?vhost=none"))
        .is(500, "The server says: NOT_ALLOWED - vhost none not found");
    check_by(&by("{username: probe, password: wrong-words}"), &path).has(
        500,
        "The server says: ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN",
    );
    check(&format!("{path}?vhost=%2F")).has(500, "vhost needs one");
    check(&format!("{path}?vhosts=%2F")).has(400, "unknown option 'vhosts'; there are vhost");
    let elsewhere = "services: {mq: {login: {username: probe, password: s3same-words}}}";
    check_by(elsewhere, &path).has(403, "it is outside login_to");
    over_tls(&broker);
    logins_leave_no_warning(&broker, &probe);
}

fn over_tls(broker: &Broker) {
    let path = format!("/amqp/mq/{}", broker.tls_port);
    let ca = broker.server.folder().join("cert.pem");
    let by = |tls: &str| {
        format!(
            "{ALLOWED}\nservices: {{mq: {{login: {{username: probe, password: s3same-words}}, tls: {tls}}}}}"
        )
    };
    let verified = by(&format!("{{verify: true, ca_file: {}}}", ca.display()));
    check_by(&verified, &path).is(200, "Logged in to vhost /");
    check_by(&by("{verify: true}"), &path).has(503, "TLS handshake failed");
    let clear = by("off");
    assert_eq!(check_by(&clear, &path).status, 503);
    // Over TLS `local` stands for its port.
    let usual = verified.replace(ALLOWED, "login_to: [local]");
    check_by(&usual, "/amqp/mq/5672").has(403, "add local:5672");
    check_by(&usual, "/amqp/mq/5671").has(503, "amqp 127.0.0.1:5671: connection refused");
}

/// As documented: a broker takes a check without a login for a client that went away, one with a login for a client.
fn logins_leave_no_warning(broker: &Broker, probe: &str) {
    let before = broker.server.log().len();
    let path = format!("/amqp/mq/{}", broker.port);
    for _ in 0..20 {
        check_by(probe, &path).is(200, "Logged in to vhost /");
    }
    let closed = |log: &str| log.matches("closing AMQP connection").count() >= 20;
    broker.server.wait_for("RabbitMQ has seen all end", || {
        closed(&broker.server.log()[before..])
    });
    let log = broker.server.log();
    let log = &log[before..];
    assert!(
        !log.contains("[warning]") && !log.contains("[error]"),
        "{log}"
    );
}

/// A frame of channel 0 that holds a method of the connection.
fn frame(method: &[u8]) -> &'static [u8] {
    let length = u32::try_from(method.len() + 2).unwrap();
    let head = [b"\x01\0\0", &length.to_be_bytes()[..], b"\0\x0a"].concat();
    [&head[..], method, b"\xce"].concat().leak()
}

fn start(mechanisms: &str) -> &'static [u8] {
    let length = u32::try_from(mechanisms.len()).unwrap();
    let head = [b"\0\x0a\0\x09\0\0\0\0", &length.to_be_bytes()[..]].concat();
    frame(&[&head[..], mechanisms.as_bytes(), b"\0\0\0\x05en_US"].concat())
}

fn refusal(code: u16, text: &str) -> &'static [u8] {
    let length = u8::try_from(text.len()).unwrap();
    let head = [&b"\0\x32"[..], &code.to_be_bytes(), &[length]].concat();
    frame(&[&head[..], text.as_bytes(), b"\0\0\0\0"].concat())
}

const TUNE: &[u8] = b"\0\x1e\x07\xff\0\x02\0\0\0\x3c";

const OPEN_OK: &[u8] = b"\0\x29\0";

const LOGIN: &str =
    "login_to: [127.0.0.1]\nservices: {mq: {login: {username: probe, password: s3same-words}}}";

#[test]
fn other_answers_fail_and_are_shown() {
    let known = start("AMQPLAIN PLAIN");
    for (answers, status, said) in [
        (
            &[&b"AMQP\0\x01\0\0"[..]][..],
            503,
            "no AMQP 0-9-1, but 'AMQP\\0\\u{1}\\0\\0'",
        ),
        (
            &[b"HTTP/1.1 400 Bad Request\r\n"],
            503,
            "the answer is not AMQP's: it begins with 'HTTP/1.",
        ),
        (&[b"\x01\0\0\0\x01\0\0\0"], 503, "a frame of 65536 bytes"),
        (
            &[b"\x01\0\0\0\0\0\x04\0\x0a\0\x29\0"],
            503,
            "a malformed frame",
        ),
        (&[frame(b"\0\x0a")], 503, "a malformed frame"),
        (&[frame(OPEN_OK)], 503, "an unexpected method 10.41"),
        (
            &[start("EXTERNAL XPLAIN")],
            503,
            "no login by PLAIN, only by 'EXTERNAL XPLAIN'",
        ),
        (
            &[known, frame(b"\0\x14")],
            503,
            "an unexpected method 10.20",
        ),
        (
            &[known, refusal(320, "going away")],
            503,
            "the server says: going away (320)",
        ),
        (
            &[known, refusal(403, "not s3same-words")],
            500,
            "The server says: not ***",
        ),
        (&[known, b""], 503, "closed the connection"),
    ] {
        let port = scripted(b"", answers);
        check_by(LOGIN, &format!("/amqp/mq/{port}")).has(status, said);
    }
}

/// What a client must send, byte by byte, and that it says goodbye.
#[test]
fn a_login_takes_the_servers_limits_and_ends_in_good_order() {
    let (send, parted) = mpsc::channel();
    let port = peer(move |mut stream| {
        hear(&mut stream, b"AMQP\0\0\x09\x01")?;
        stream.write_all(start("PLAIN"))?;
        let mut start_ok = [0; 256];
        let length = stream.read(&mut start_ok)?;
        let text = String::from_utf8_lossy(&start_ok[..length]).into_owned();
        assert!(text.contains("\0probe\0s3same-words"), "{text:?}");
        stream.write_all(frame(TUNE))?;
        hear(&mut stream, frame(b"\0\x1f\x07\xff\0\x02\0\0\0\0"))?;
        hear(&mut stream, frame(b"\0\x28\x05app/1\0\0"))?;
        stream.write_all(frame(OPEN_OK))?;
        hear(&mut stream, frame(b"\0\x32\0\xc8\0\0\0\0\0"))?;
        send.send(()).unwrap();
        Ok(())
    });
    check_by(LOGIN, &format!("/amqp/mq/{port}?vhost=app/1")).is(200, "Logged in to vhost app/1");
    parted.recv_timeout(PATIENCE).unwrap();
}

fn hear(stream: &mut TcpStream, wanted: &[u8]) -> std::io::Result<()> {
    let mut got = vec![0; wanted.len()];
    stream.read_exact(&mut got)?;
    assert_eq!(got, wanted);
    Ok(())
}

#[test]
fn frames_may_come_byte_by_byte() {
    let port = peer(|mut stream| {
        stream.read_exact(&mut [0; 8])?;
        for byte in start("PLAIN") {
            stream.write_all(&[*byte])?;
            thread::yield_now();
        }
        Ok(())
    });
    check(&format!("/amqp/mq/{port}")).has(200, "got back connection.start");
}

#[test]
fn misbehaving_peers_fail_the_check() {
    fails_on_misbehaving_peers(
        "amqp",
        &start("PLAIN")[..12],
        "so far \"\\u{1}\\0\\0",
        "waiting for connection.start",
    );
}
