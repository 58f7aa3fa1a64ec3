//! What may be probed: ports in `allowed_ports`; hosts in `check_hosts` and this host's own addresses, but never those
//! that serve cloud metadata, and never hacheck itself.
//!
//! Rule: what is refused or allowed here is the address that is then connected to; there is no second look-up.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use hyper::StatusCode;

use super::{Context, Outcome, Target};
use crate::net::{Host, Network, is_metadata};

/// Refuses ports outside `allowed_ports`. Port 0 stands for none.
pub(super) fn port(context: &Context, target: &Target) -> Result<(), Outcome> {
    let port = target.port;
    // Port 0 is a service behind a socket, which has no port.
    if port == 0 || target.trusted || is_allowed(context, port) {
        return Ok(());
    }

    Err(forbidden(format!(
        "port {port} may not be checked from here: it is outside allowed_ports"
    )))
}

fn is_allowed(context: &Context, port: u16) -> bool {
    let mut allowed = context.settings.allowed_ports.iter();
    allowed.any(|ports| ports.contains(port))
}

/// The address of a target on this host, which may be probed whatever `check_hosts` says.
pub(super) fn here(context: &Context, target: &Target) -> Result<Vec<SocketAddr>, Outcome> {
    let address = (Ipv4Addr::LOCALHOST, target.port).into();
    // The configuration may name hacheck itself; a poller would only have it ask itself.
    if !target.trusted && context.is_ourselves(address) {
        return Err(refusal(&target.host, address, Refused::Ourselves));
    }

    Ok(vec![address])
}

/// Refuses a unix socket on which hacheck itself listens.
pub(super) fn socket(context: &Context, target: &Target, path: &Path) -> Result<(), Outcome> {
    if target.trusted || !context.is_our_socket(path) {
        return Ok(());
    }

    Err(forbidden(format!(
        "the socket {} may not be checked from here: hacheck itself listens there",
        path.display()
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

    let mut allowed = Vec::new();
    let mut first_refused = None;
    // A name may have addresses of both kinds: those that are refused are left out, and not the whole target.
    for address in found {
        match refused(context, address) {
            None => allowed.push(address),
            Some(why) => {
                first_refused.get_or_insert((address, why));
            }
        }
    }

    match first_refused {
        Some((address, why)) if allowed.is_empty() => Err(refusal(&target.host, address, why)),
        _ => Ok(allowed),
    }
}

/// Why an address may not be probed.
#[derive(Debug, Clone, Copy)]
enum Refused {
    Metadata,
    Ourselves,
    Outside,
}

fn refused(context: &Context, address: SocketAddr) -> Option<Refused> {
    let ip = address.ip();
    // First, so that no list of networks can allow it: whoever reads it has the host's credentials.
    if is_metadata(ip) {
        return Some(Refused::Metadata);
    }

    if context.is_ourselves(address) {
        return Some(Refused::Ourselves);
    }

    let networks = &context.settings.check_hosts;
    let inside = Network::any_contains(networks, ip) || context.is_own(ip);
    (!inside).then_some(Refused::Outside)
}

fn refusal(host: &Host, address: SocketAddr, why: Refused) -> Outcome {
    let resolved = match host {
        Host::Name(_) => format!(" ({})", address.ip()),
        _ => String::new(),
    };

    let why = why.text(address.port());
    forbidden(format!(
        "host {host}{resolved} may not be checked from here: {why}"
    ))
}

impl Refused {
    fn text(self, port: u16) -> String {
        match self {
            Self::Metadata => "cloud metadata is never checked".to_owned(),
            Self::Ourselves => {
                format!("hacheck itself listens on port {port} there; ask it for /healthz directly")
            }
            Self::Outside => "it is outside check_hosts".to_owned(),
        }
    }
}

pub(super) fn forbidden(text: String) -> Outcome {
    Outcome::new(StatusCode::FORBIDDEN, text)
}
