//! `memcached`: `version` is answered (memcached's doc/protocol.txt, "version").

use super::lines::Lines;
use super::shown::quote;
use super::{Checked, Outcome, Probe, Protocol, Request, login, settle};

/// Longest answer line, in bytes.
const LINE_MAX: usize = 512;

/// The row of the table.
pub(super) const MEMCACHED: Protocol = Protocol {
    name: "memcached",
    needs_slash: false,
    request: Request::Ignored,
    keyed_by_service: false,
    default_port: Some(11211),
    bare_timeout: false,
    login: login::none,
    probe: |probe| settle(check(probe)),
};

async fn check(probe: &Probe<'_>) -> Checked {
    let mut lines = Lines::connect(probe).await?;
    let version = ask_version(probe, &mut lines).await?;
    // memcached has answered; whether it also takes the farewell does not matter.
    let _ = lines.send(b"quit\r\n").await;
    Ok(Outcome::healthy(format!("memcached {version} answers")))
}

async fn ask_version(probe: &Probe<'_>, lines: &mut Lines<'_>) -> Result<String, Outcome> {
    probe.trace.stage("waiting for the answer to version");
    let answer = probe.or_failed(lines.ask(b"version\r\n", LINE_MAX).await)?;
    match answer.strip_prefix(b"VERSION ") {
        Some(version) => Ok(lines.shown(version)),
        None => Err(got_back(probe, &answer)),
    }
}

fn got_back(probe: &Probe<'_>, answer: &[u8]) -> Outcome {
    let shown = quote(answer);
    probe.failed(format_args!("sent version, got back {shown}"))
}
