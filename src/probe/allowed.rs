//! What may be probed: ports in `allowed_ports`; hosts in `check_hosts` and this host's own addresses, but never those
//! that serve cloud metadata.
//!
//! Rule: what is refused or allowed here is the address that is then connected to; there is no second look-up.

use std::net::{IpAddr, SocketAddr};

use hyper::StatusCode;

use super::{Context, Outcome, Target};
use crate::net::{Host, is_metadata};

/// Refuses ports outside `allowed_ports`. Port 0 stands for none.
pub(super) fn port(context: &Context, target: &Target) -> Result<(), Outcome> {
    let port = target.port;
    let mut allowed = context.settings.allowed_ports.iter();
    if port == 0 || target.trusted || allowed.any(|ports| ports.contains(port)) {
        return Ok(());
    }
    Err(forbidden(format!(
        "port {port} may not be checked from here: it is outside allowed_ports"
    )))
}

/// Those of a target's addresses that may be probed; refuses the target when none is left.
pub(super) fn addresses(
    context: &Context,
    target: &Target,
    found: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, Outcome> {
    // The configuration names the host itself.
    if target.trusted {
        return Ok(found);
    }
    let first = found.first().map(SocketAddr::ip);
    let mut allowed = found;
    allowed.retain(|address| may_probe(context, address.ip()));
    if allowed.is_empty() {
        return Err(refusal(&target.host, first));
    }
    Ok(allowed)
}

fn may_probe(context: &Context, address: IpAddr) -> bool {
    if is_metadata(address) {
        return false;
    }
    let mut networks = context.settings.check_hosts.iter();
    networks.any(|network| network.contains(address)) || context.is_own(address)
}

fn refusal(host: &Host, address: Option<IpAddr>) -> Outcome {
    let resolved = match (host, address) {
        (Host::Name(_), Some(address)) => format!(" ({address})"),
        _ => String::new(),
    };
    let why = match address {
        Some(address) if is_metadata(address) => "cloud metadata is never checked",
        _ => "it is outside check_hosts",
    };
    forbidden(format!(
        "host {host}{resolved} may not be checked from here: {why}"
    ))
}

fn forbidden(text: String) -> Outcome {
    Outcome::new(StatusCode::FORBIDDEN, text)
}
