//! `zookeeper`: `ruok` is answered by `imok`; where the server forbids that word, `srvr` tells its version and mode
//! (ZooKeeper Administrator's Guide, "The Four Letter Words": each is a connection of its own, closed by the server).

use super::lines::{self, Lines};
use super::{Outcome, Probe, Protocol, Request};

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
    probe: |probe| Box::pin(async move { check(probe).await.unwrap_or_else(|failed| failed) }),
};

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let ruok = ask(
        probe,
        b"ruok",
        "waiting for the answer to ruok",
        Some(b"imok"),
    )
    .await?;
    if ruok.starts_with(b"imok") {
        return Ok(Outcome::healthy("Sent ruok, got back imok"));
    }
    if !is_forbidden(&ruok) {
        return Err(probe.failed(format_args!("sent ruok, got back {}", lines::quote(&ruok))));
    }
    probe
        .trace
        .note(|| "ruok is not in 4lw.commands.whitelist, trying srvr".into());
    let srvr = ask(probe, b"srvr", "waiting for the answer to srvr", None).await?;
    if is_forbidden(&srvr) {
        return Err(probe.failed(
            "neither ruok nor srvr may be asked; add one of them to 4lw.commands.whitelist",
        ));
    }
    if !srvr.starts_with(b"Zookeeper version") {
        return Err(probe.failed(format_args!("sent srvr, got back {}", lines::quote(&srvr))));
    }
    let mode = mode(&srvr).unwrap_or("unknown");
    Ok(Outcome::healthy(format!(
        "Sent srvr, got back its version, mode {}",
        mode.escape_debug()
    )))
}

/// Asks one word on a connection of its own.
async fn ask(
    probe: &Probe<'_>,
    word: &[u8],
    stage: &'static str,
    enough: Option<&[u8]>,
) -> Result<bytes::Bytes, Outcome> {
    let mut lines = Lines::connect(probe).await?;
    probe.trace.stage(stage);
    let answer = async {
        lines.send(word).await?;
        lines.rest(ANSWER_MAX, enough).await
    };
    answer.await.map_err(|e| probe.failed(e))
}

fn is_forbidden(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).contains("not in the whitelist")
}

/// `standalone`, `leader`, `follower`, `observer`.
fn mode(answer: &[u8]) -> Option<&str> {
    let line = answer
        .split(|b| *b == b'\n')
        .find_map(|line| line.strip_prefix(b"Mode: "))?;
    std::str::from_utf8(line)
        .ok()
        .map(str::trim)
        .filter(|mode| mode.len() < 30)
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
