//! `zookeeper`: `ruok` is answered by `imok`; where the server forbids that word, `srvr` tells its version and mode
//! (ZooKeeper Administrator's Guide, "The Four Letter Words": each is a connection of its own, closed by the server).

use bytes::Bytes;

use super::lines::Lines;
use super::shown::quote;
use super::{Outcome, Probe, Protocol, Request, login, settle};

/// Longest answer, in bytes. That to `srvr` is about 200.
const ANSWER_MAX: usize = 64 << 10;

/// The row of the table.
pub(super) const ZOOKEEPER: Protocol = Protocol {
    name: "zookeeper",
    needs_slash: false,
    request: Request::Ignored,
    keyed_by_service: false,
    default_port: Some(2181),
    bare_timeout: false,
    login: login::none,
    probe: |probe| settle(check(probe)),
};

/// Part of the answer to a word that `4lw.commands.whitelist` leaves out.
const FORBIDDEN: &str = "not in the whitelist";

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let ruok = ask_ruok(probe).await?;
    if ruok.starts_with(b"imok") {
        return Ok(Outcome::healthy("Sent ruok, got back imok"));
    }
    if !is_forbidden(&ruok) {
        return Err(got_back(probe, "ruok", &ruok));
    }
    probe
        .trace
        .note(|| "ruok is not in 4lw.commands.whitelist, trying srvr".to_owned());
    check_srvr(probe).await
}

async fn ask_ruok(probe: &Probe<'_>) -> Result<Bytes, Outcome> {
    let mut lines = Lines::connect(probe).await?;
    probe.trace.stage("waiting for the answer to ruok");
    // A server that leaves the connection open after its answer has answered too.
    ask(probe, &mut lines, b"ruok", b"imok").await
}

async fn check_srvr(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let mut lines = Lines::connect(probe).await?;
    probe.trace.stage("waiting for the answer to srvr");
    let srvr = ask(probe, &mut lines, b"srvr", b"").await?;
    judge_srvr(probe, &srvr)
}

fn judge_srvr(probe: &Probe<'_>, srvr: &[u8]) -> Result<Outcome, Outcome> {
    if is_forbidden(srvr) {
        return Err(probe.failed(
            "neither ruok nor srvr may be asked; add one of them to 4lw.commands.whitelist",
        ));
    }
    if !srvr.starts_with(b"Zookeeper version") {
        return Err(got_back(probe, "srvr", srvr));
    }
    let mode = mode(srvr).unwrap_or("unknown").escape_debug();
    let text = format!("Sent srvr, got back its version, mode {mode}");
    Ok(Outcome::healthy(text))
}

/// Sends a word, and reads the answer up to `end` or to the end of the connection.
async fn ask(
    probe: &Probe<'_>,
    lines: &mut Lines<'_>,
    word: &[u8],
    end: &[u8],
) -> Result<Bytes, Outcome> {
    lines.send(word).await.map_err(|e| probe.failed(e))?;
    lines
        .until(end, ANSWER_MAX)
        .await
        .map_err(|e| probe.failed(e))
}

fn got_back(probe: &Probe<'_>, word: &str, answer: &[u8]) -> Outcome {
    let shown = quote(answer);
    probe.failed(format_args!("sent {word}, got back {shown}"))
}

fn is_forbidden(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).contains(FORBIDDEN)
}

/// `standalone`, `leader`, `follower`, `observer`.
fn mode(answer: &[u8]) -> Option<&str> {
    let text = str::from_utf8(answer).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Mode: "))?;
    let mode = line.trim();
    // A mode is a word; more than that comes from something else.
    (mode.len() < 30).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_read_where_there_is_one() {
        assert_eq!(
            mode(b"Zookeeper version: 3\nMode: leader\r\nNode count: 5\n"),
            Some("leader")
        );
        assert_eq!(mode(b"Zookeeper version: 3\n"), None);
        assert_eq!(mode(b"Mode: \xff\n"), None);
    }
}
