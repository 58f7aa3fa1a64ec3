//! `memcached`: `version` is answered (memcached's doc/protocol.txt, "version").

use super::lines::{self, Lines};
use super::{Outcome, Probe, Protocol, Request};

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
    probe: |probe| Box::pin(async move { check(probe).await.unwrap_or_else(|failed| failed) }),
};

async fn check(probe: &Probe<'_>) -> Result<Outcome, Outcome> {
    let mut lines = Lines::connect(probe).await?;
    probe.trace.stage("waiting for the answer to version");
    let answer = async {
        lines.send(b"version\r\n").await?;
        lines.line(LINE_MAX).await
    };
    let answer = answer.await.map_err(|e| probe.failed(e))?;
    let Some(version) = answer.strip_prefix(b"VERSION ") else {
        return Err(probe.failed(format_args!(
            "sent version, got back {}",
            lines::quote(&answer)
        )));
    };
    // It has answered; whether it also takes the farewell does not matter.
    let _ = lines.send(b"quit\r\n").await;
    Ok(Outcome::healthy(format!(
        "memcached {} answers",
        lines.shown(version)
    )))
}
