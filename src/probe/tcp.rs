//! `tcp`: a connection is made and closed; nothing is sent.

use super::connection::Connection;
use super::{Checked, Outcome, Probe, Protocol, Request, login, settle};

/// The row of the table.
pub(super) const TCP: Protocol = Protocol {
    name: "tcp",
    needs_slash: false,
    request: Request::Ignored,
    keyed_by_service: false,
    default_port: None,
    bare_timeout: true,
    login: login::none,
    probe: |probe| settle(check(probe)),
};

async fn check(probe: &Probe<'_>) -> Checked {
    Connection::open(probe).await?;
    let elapsed = probe.trace.elapsed();
    Ok(Outcome::healthy(format!("Connected in {elapsed}")))
}
