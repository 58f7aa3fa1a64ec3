//! Checks by the daemon's routes without a daemon, and peers that misbehave.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use hacheck::config::{self, Config};
use hacheck::daemon::once;
use hacheck::probe::ProbeSettings;
use hacheck::spool::Spool;
use hyper::HeaderMap;

use super::server::{self, free_port};

/// What a poller is told, and what else `hacheck probe -v` says.
#[derive(Debug)]
pub struct Checked {
    pub status: u16,
    pub body: String,
    pub steps: String,
}

impl Checked {
    /// Checks status and body.
    #[track_caller]
    pub fn is(&self, status: u16, body: &str) {
        assert_eq!(
            (self.status, self.body.as_str()),
            (status, body),
            "{}",
            self.steps
        );
    }

    /// Checks the status, and that the body holds a text.
    #[track_caller]
    pub fn has(&self, status: u16, text: &str) {
        assert!(
            self.status == status && self.body.contains(text),
            "expected {status} with {text:?}, got {self:?}"
        );
    }
}

/// Checks a path with the usual settings.
pub fn check(path: &str) -> Checked {
    check_with(ProbeSettings::default(), path)
}

/// Checks a path with the settings of a configuration.
pub fn check_by(configuration: &str, path: &str) -> Checked {
    let loaded = config::parse(configuration.as_bytes(), "f").unwrap();
    check_with(loaded.config.probe, path)
}

/// Checks a path, such as `/redis/web/6379`. That no password shows anywhere is checked along.
pub fn check_with(settings: ProbeSettings, path: &str) -> Checked {
    let secrets: Vec<String> = settings.secrets().into_iter().map(str::to_owned).collect();
    let spool = Spool::at("/nonexistent/hacheck-spool");
    let config = Config {
        probe: settings,
        ..Config::default()
    };
    let answer = once::ask(path, &HeaderMap::new(), config, &spool).unwrap();
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    let steps: Vec<String> = answer
        .steps
        .into_iter()
        .map(|s| s.what)
        .chain([answer.why])
        .collect();
    let checked = Checked {
        status: answer.status.as_u16(),
        body,
        steps: steps.join("\n"),
    };
    for secret in secrets.into_iter().filter(|secret| secret.len() > 3) {
        let shows = checked.body.contains(&secret) || checked.steps.contains(&secret);
        assert!(!shows, "the password shows: {checked:?}");
    }
    checked
}

/// The usual settings with a short deadline.
pub fn hasty() -> ProbeSettings {
    ProbeSettings {
        healthcheck_timeout: Duration::from_millis(400),
        ..ProbeSettings::default()
    }
}

/// A peer that does what a test says with each connection. That the probe hangs up on it is what it has to expect.
pub fn peer(serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> u16 {
    server::peer(move |stream| drop(serve(stream)))
}

/// A peer that sends a text at once, then each of `answers` to what it is sent, then closes the connection.
pub fn scripted(greeting: &'static [u8], answers: &[&'static [u8]]) -> u16 {
    let answers = answers.to_vec();
    peer(move |mut stream| {
        stream.write_all(greeting)?;
        for answer in &answers {
            let mut question = [0; 4096];
            if stream.read(&mut question)? == 0 {
                break;
            }
            stream.write_all(answer)?;
        }
        Ok(())
    })
}

/// Whatever a peer does wrong, the check fails: refused at once, else by the deadline, with a body that says what
/// came. `half` is the beginning of a proper answer; the others are what is said when no more, or nothing, comes.
#[track_caller]
pub fn fails_on_misbehaving_peers(
    protocol: &str,
    half: &'static [u8],
    half_says: &str,
    silence_says: &str,
) {
    let failing_with = |settings: ProbeSettings, port: u16| {
        let checked = check_with(settings, &format!("/{protocol}/web/{port}"));
        assert!(checked.status >= 400, "{checked:?}");
        assert!(
            !checked.body.is_empty() && checked.body.len() < 1000,
            "{checked:?}"
        );
        assert!(
            !checked.body.contains("panic") && !checked.steps.contains("panic"),
            "{checked:?}"
        );
        checked
    };
    let failing = |port| failing_with(hasty(), port);
    failing(free_port()).has(503, "connection refused");
    let silent = peer(|mut stream| stream.read_to_end(&mut Vec::new()).map(drop));
    failing(silent).has(503, silence_says);
    let half_open = peer(move |mut stream| {
        // HTTP clients take no answer before their question; a mail client asks nothing first.
        stream.set_read_timeout(Some(Duration::from_millis(50)))?;
        let _ = stream.read(&mut [0; 4096]);
        stream.set_read_timeout(None)?;
        stream.write_all(half)?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    let checked = failing(half_open);
    checked.has(503, "timed out after");
    assert!(
        checked.steps.contains(half_says) || checked.body.contains(half_says),
        "{checked:?}"
    );
    let dripping = peer(|mut stream| {
        loop {
            stream.write_all(b"2")?;
            thread::sleep(Duration::from_millis(20));
        }
    });
    failing(dripping).has(503, " after ");
    failing(peer(move |mut stream| stream.write_all(half))).has(503, "");
    let closing = peer(|mut stream| {
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    });
    failing_with(ProbeSettings::default(), closing).has(503, "closed");
    failing(scripted(b"", &[b"\x16\x03\x01\0\xff\xfe\x80\r\n\r\n\0\0"]));
    for endless in [
        &[b'$'; 65536][..],
        &b"220-\r\n".repeat(10_000),
        &b"x:y\n".repeat(20_000),
    ] {
        let endless = endless.to_vec();
        failing(peer(move |mut stream| {
            loop {
                stream.write_all(&endless)?;
            }
        }));
    }
    failing(scripted(
        b"",
        &[b"HTTP/1.1 400 Bad Request\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwhat"],
    ));
}
