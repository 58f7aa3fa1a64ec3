//! Who may change the spool from afar.
//!
//! Rule: nothing but the head of a request is looked at.

use std::net::IpAddr;

use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, StatusCode};

use crate::config::DaemonSettings;
use crate::daemon::cross_site;
use crate::daemon::state::Live;
use crate::daemon::tokens::Bearer;
use crate::http::reply::{self, Reply};
use crate::http::tls::ClientCertificate;
use crate::net::Network;

/// Why a change may not be made: for the log, and as the answer.
pub(super) struct Denied {
    pub(super) why: &'static str,
    status: StatusCode,
    text: String,
}

impl Denied {
    fn forbidden(why: &'static str, text: impl Into<String>) -> Self {
        Self {
            why,
            status: StatusCode::FORBIDDEN,
            text: text.into(),
        }
    }

    fn unauthorized(why: &'static str, text: &str) -> Self {
        Self {
            why,
            status: StatusCode::UNAUTHORIZED,
            text: text.to_owned(),
        }
    }

    pub(super) fn reply(self) -> Reply {
        let reply = reply::text(self.status, self.text);
        match self.status {
            // A 401 must say by what scheme one can authenticate (RFC 9110 section 15.5.2).
            StatusCode::UNAUTHORIZED => {
                reply::with(reply, WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            _ => reply,
        }
    }
}

/// Who makes the change, in words.
pub(super) fn permitted(
    live: &Live,
    request: &Request<Incoming>,
    from: IpAddr,
) -> Result<String, Denied> {
    let headers = request.headers();
    expect_enabled(&live.config.daemon)?;
    expect_allowed(&live.config.daemon, from)?;
    // Before the tokens: a browser may hold one for whoever sits at it.
    expect_no_foreign_page(live, headers)?;
    let names = &live.config.daemon.remote_spool_certs;
    // A known certificate is enough; a token is asked of whoever has none.
    if let Some(name) = certificate_name(request, names) {
        return Ok(format!("{from} with the certificate of {name}"));
    }

    let needs_certificate = !names.is_empty();
    match live.tokens.bearer(headers) {
        // No token is needed; but where certificates are listed, that does not mean that nothing is.
        Bearer::Free if needs_certificate => Err(no_certificate()),
        Bearer::Free => Ok(from.to_string()),
        Bearer::Holds(name) => Ok(format!("{from} with the token {name}")),
        Bearer::Missing => Err(no_token()),
        Bearer::Wrong => Err(wrong_token()),
    }
}

fn no_certificate() -> Denied {
    Denied::unauthorized(
        "it has no certificate of remote_spool_certs",
        "a spool change needs a client certificate that is known",
    )
}

fn no_token() -> Denied {
    Denied::unauthorized(
        "it carries no token",
        "a spool change needs a token: Authorization: Bearer …",
    )
}

fn wrong_token() -> Denied {
    Denied::unauthorized(
        "its token is not one of remote_spool_tokens",
        "the token is not one that is known",
    )
}

fn expect_enabled(settings: &DaemonSettings) -> Result<(), Denied> {
    if settings.allow_remote_spool_changes {
        return Ok(());
    }

    Err(Denied::forbidden(
        "allow_remote_spool_changes is not set",
        "remote spool changes are not enabled",
    ))
}

fn expect_allowed(settings: &DaemonSettings, from: IpAddr) -> Result<(), Denied> {
    if Network::any_contains(&settings.remote_spool_from, from) {
        return Ok(());
    }

    let why = "the address is outside remote_spool_from";
    let text = format!("{from} may not change the spool: see remote_spool_from");
    Err(Denied::forbidden(why, text))
}

fn expect_no_foreign_page(live: &Live, headers: &HeaderMap) -> Result<(), Denied> {
    let page_hosts = &live.config.daemon.page_hosts;
    if !cross_site::is_foreign(headers, live.this_host(), page_hosts) {
        return Ok(());
    }

    Err(Denied::forbidden(
        "a web page of another site sent it",
        "a web page of another site sent this, so the spool was not changed; use a tool, or a page of this host",
    ))
}

/// Whose certificate the request came with, if it is one of these names'.
fn certificate_name<'a>(request: &Request<Incoming>, names: &'a [String]) -> Option<&'a str> {
    let certificate: &ClientCertificate = request.extensions().get()?;
    certificate.name_among(names)
}
