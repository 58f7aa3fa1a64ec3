//! `zookeeper`: the server says in which mode it serves, by the first of the words `srvr`, `mntr` and `stat` that it may be
//! asked (ZooKeeper Administrator's Guide, "The Four Letter Words": each is a connection of its own, closed by the
//! server).
//!
//! Rule: `ruok` is not asked. Its `imok` says that the process lives, also where it has no quorum and serves nobody.

use bytes::Bytes;

use super::lines::{Incomplete, Lines};
use super::shown::quote;
use super::{Checked, Outcome, Probe, Protocol, Request, login, settle};

/// Longest answer, in bytes. That to `srvr` is about 200; `stat` has a line for each client.
const ANSWER_MAX: usize = 256 << 10;

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

/// Words whose answers tell the mode, and what stands before it there. ZooKeeper answers the first whatever it is told to
/// allow; servers that speak like it may not.
const WORDS: [(&str, &str); 3] = [
    ("srvr", "Mode: "),
    ("mntr", "zk_server_state\t"),
    ("stat", "Mode: "),
];

/// The mode of a server that has lost its quorum and is allowed to go on without writes.
const READ_ONLY: &str = "read-only";

async fn check(probe: &Probe<'_>) -> Checked {
    for (word, before) in WORDS {
        let answer = ask(probe, word).await?;
        if !is_forbidden(&answer) {
            return judge(probe, word, mode(&answer, before), &answer);
        }
        let text = || format!("{word} is not in 4lw.commands.whitelist");
        probe.trace.note(text);
    }

    Err(probe.failed(
        "whether it serves cannot be known: neither srvr, mntr nor stat may be asked; add one of them to 4lw.commands.whitelist",
    ))
}

fn judge(probe: &Probe<'_>, word: &str, mode: Option<&str>, answer: &[u8]) -> Checked {
    let Some(mode) = mode else {
        let shown = quote(answer);
        return Err(probe.failed(format_args!("sent {word}, got back {shown}")));
    };

    judge_mode(probe, word, mode)
}

fn judge_mode(probe: &Probe<'_>, word: &str, mode: &str) -> Checked {
    if mode == READ_ONLY {
        return Err(probe.failed(format_args!(
            "sent {word}, got back mode {READ_ONLY}: it has no quorum"
        )));
    }

    let mode = mode.escape_debug();
    let text = format!("Sent {word}, got back its version, mode {mode}");
    Ok(Outcome::healthy(text))
}

/// Sends a word, and reads the answer up to the end of the connection.
async fn ask(probe: &Probe<'_>, word: &'static str) -> Result<Bytes, Outcome> {
    let mut lines = Lines::connect(probe).await?;
    probe.trace.stage("waiting for the answer to a word");
    let answer = send_word(&mut lines, word).await;
    probe.or_failed(answer)
}

async fn send_word(lines: &mut Lines<'_>, word: &str) -> Result<Bytes, Incomplete> {
    // Without a line end: the four letters are all that ZooKeeper reads.
    lines.send(word.as_bytes()).await?;
    lines.until(b"", ANSWER_MAX).await
}

fn is_forbidden(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).contains(FORBIDDEN)
}

/// `standalone`, `leader`, `follower`, `observer`, `read-only`.
fn mode<'a>(answer: &'a [u8], before: &str) -> Option<&'a str> {
    let text = str::from_utf8(answer).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(before))?;
    let mode = line.trim();
    // A mode is a word; more than that comes from something else.
    (mode.len() < 30 && !mode.is_empty()).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_read_where_there_is_one() {
        for (answer, found) in [
            (
                &b"Zookeeper version: 3\nMode: leader\r\nNode count: 5\n"[..],
                Some("leader"),
            ),
            (b"Zookeeper version: 3\n", None),
            (b"Mode: \n", None),
            (b"Mode: \xff\n", None),
        ] {
            assert_eq!(mode(answer, "Mode: "), found);
        }
        let mntr = b"zk_version\t3.8.0\nzk_server_state\tfollower\n";
        assert_eq!(mode(mntr, "zk_server_state\t"), Some("follower"));
    }
}
