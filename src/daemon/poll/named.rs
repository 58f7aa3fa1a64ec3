//! What is asked for by name, by faces that have no paths: a service (`web`) or an instance (`web:8080`) is the spool
//! alone, a check is written as its path (`http/web/8080/health`), and nothing at all is the host. Pure.

use std::fmt;

use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::uri::InvalidUri;
use hyper::{Method, Uri};

use super::route::{self, CheckPath, Route};
use crate::spool::{ALL, Key, NameError};

/// Longest name, in bytes.
pub(in crate::daemon) const NAME_MAX: usize = 1024;

/// What is asked for.
#[derive(Debug)]
pub(in crate::daemon) enum Named {
    /// A check, by its path as over HTTP.
    Path(Uri),
    /// A service or an instance: the spool alone.
    Spool(Key),
}

/// Why a text names nothing.
#[derive(Debug)]
pub(in crate::daemon) enum NamedError {
    /// It is longer than [`NAME_MAX`].
    Long,
    /// It is no path.
    Path(InvalidUri),
    /// No check has that path.
    Check,
    /// It is no service or instance.
    Name(NameError),
}

impl fmt::Display for NamedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => write!(f, "it is over {NAME_MAX} bytes"),
            Self::Path(e) => e.fmt(f),
            Self::Check => f.write_str("it is no check; write one such as http/web/8080/health"),
            Self::Name(e) => e.fmt(f),
        }
    }
}

impl Named {
    pub(in crate::daemon) fn parse(text: &str) -> Result<Self, NamedError> {
        if text.len() > NAME_MAX {
            return Err(NamedError::Long);
        }

        // No service name has a slash, so the two cannot be mistaken for each other.
        if text.contains('/') {
            return Self::parse_path(text);
        }

        let name = if text.is_empty() { ALL } else { text };
        let key = Key::parse(name).map_err(NamedError::Name)?;
        Ok(Self::Spool(key))
    }

    fn parse_path(text: &str) -> Result<Self, NamedError> {
        let slash = if text.starts_with('/') { "" } else { "/" };
        let path = format!("{slash}{text}").parse();
        path.map(Self::Path).map_err(NamedError::Path)
    }

    /// The check, and headers that name the host of an instance, as nerve does.
    pub(in crate::daemon) fn check(&self) -> Result<(CheckPath<'_>, HeaderMap), NamedError> {
        match self {
            Self::Path(uri) => Ok((check_path(uri)?, HeaderMap::new())),
            Self::Spool(key) => Ok((spool_path(key), naming_host(key))),
        }
    }
}

fn check_path(uri: &Uri) -> Result<CheckPath<'_>, NamedError> {
    match route::parse(&Method::GET, uri.path(), uri.query()) {
        Ok(Route::Check(path)) => Ok(path),
        _ => Err(NamedError::Check),
    }
}

fn spool_path(key: &Key) -> CheckPath<'_> {
    CheckPath {
        protocol: None,
        service: key.service_name().clone(),
        port: key.port(),
        rest: "",
        query: None,
    }
}

fn naming_host(key: &Key) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(host) = key.host()
        && let Ok(host) = HeaderValue::from_str(host)
    {
        headers.insert("x-nerve-check-ip", host);
    }

    headers
}
