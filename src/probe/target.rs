//! What is probed: host, port, path and headers.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use super::{GROUP, Protocol};
use crate::net::Host;

/// The request headers of a target: so few that a list serves them best.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Headers(Vec<(HeaderName, HeaderValue)>);

impl Headers {
    /// Adds a header, in place of one of this name.
    pub fn set(&mut self, name: HeaderName, value: HeaderValue) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => {
                // Targets are kept with their results, so they take no room for headers to come.
                self.0.reserve_exact(1);
                self.0.push((name, value));
            }
        }
    }

    /// The value of a header.
    #[must_use]
    pub fn get(&self, name: &HeaderName) -> Option<&HeaderValue> {
        let (_, value) = self.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }

    /// All of them, in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

/// What is probed, and how it is asked.
#[derive(Debug, Clone)]
pub struct Target {
    /// The service's name, as the poller gave it.
    pub service: Arc<str>,
    /// The host.
    pub host: Host,
    /// The port, 1 to 65535.
    pub port: u16,
    /// Path and query string as they came, still percent-encoded; begins with `/`.
    pub path: Box<str>,
    /// The request headers for an HTTP upstream; `Host` only when it was copied from the poller.
    pub headers: Headers,
    /// The deadline of this probe, in place of the service's.
    pub limit: Option<Duration>,
    /// The configuration named the host, not a request, so `check_hosts` does not apply.
    pub trusted: bool,
}

/// A check: how to probe, and what.
#[derive(Debug, Clone)]
pub struct Check {
    /// How to probe.
    pub protocol: &'static Protocol,
    /// What is probed.
    pub target: Arc<Target>,
}

impl Check {
    /// Whether a group of checks is to be run.
    #[must_use]
    pub(crate) fn is_group(&self) -> bool {
        self.protocol.name == GROUP
    }
}

impl Target {
    /// A port and a path on this host.
    #[cfg(test)]
    pub(crate) fn local(port: u16, path: &str) -> Self {
        let headers = Headers::default();
        Self {
            service: "web".into(),
            host: Host::Local,
            port,
            path: path.into(),
            headers,
            limit: None,
            trusted: false,
        }
    }

    /// The query string, without the question mark; empty when there is none.
    #[must_use]
    pub(crate) fn query(&self) -> &str {
        match self.path.split_once('?') {
            Some((_, query)) => query,
            None => "",
        }
    }

    /// The first part of the path, up to the next slash; empty when there is none.
    #[must_use]
    pub(crate) fn segment(&self) -> &str {
        let path = self.bare_path().trim_start_matches('/');
        path.split('/').next().unwrap_or_default()
    }

    /// The path without the query string.
    #[must_use]
    pub(crate) fn bare_path(&self) -> &str {
        match self.path.split_once('?') {
            Some((path, _)) => path,
            None => &self.path,
        }
    }
}
