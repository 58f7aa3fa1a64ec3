//! `tcp`: a connection is made and closed; nothing is sent.

use super::{Outcome, Probe, Protocol, Request, stream};

/// The row of the table.
pub(super) const TCP: Protocol = Protocol {
    name: "tcp",
    needs_slash: false,
    request: Request::Ignored,
    keyed_by_service: false,
    default_port: None,
    bare_timeout: true,
    probe: |probe| Box::pin(check(probe)),
};

async fn check(probe: &Probe<'_>) -> Outcome {
    match stream::connect(probe).await {
        Ok(_) => Outcome::healthy(format!("Connected in {}", probe.trace.elapsed())),
        Err(failed) => failed,
    }
}
