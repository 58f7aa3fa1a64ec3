//! Values of options that several applets take. A wrong one is a usage error that names the option.

use crate::cli::client::DEFAULT_PORT;
use crate::cli::failure::{Failure, usage};
use crate::names::{Key, NameError, parse_port};
use crate::spool::{self, Spool};

/// The spool that `--spool-root` names.
pub(crate) fn spool(root: Option<String>) -> Spool {
    match root {
        Some(root) => Spool::at(root),
        None => Spool::at(spool::DEFAULT_ROOT),
    }
}

/// The value of an option, where it was given.
pub(crate) fn given<T>(
    option: &str,
    text: Option<&str>,
    parse: fn(&str, &str) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    match text {
        Some(text) => Ok(Some(parse(option, text)?)),
        None => Ok(None),
    }
}

/// A TCP port.
pub(crate) fn port(option: &str, text: &str) -> Result<u16, Failure> {
    parse_port(text).map_err(|e| usage!("{option}: {e}"))
}

/// The port of the daemon on this host, as `-p` gives it.
pub(crate) fn daemon_port(given: Option<&str>) -> Result<u16, Failure> {
    match given {
        Some(text) => port("-p", text),
        None => Ok(DEFAULT_PORT),
    }
}

/// A whole number from 1.
pub(crate) fn number(option: &str, text: &str) -> Result<u32, Failure> {
    match text.parse() {
        // Zero of anything that is waited for would be no waiting at all.
        Ok(0) | Err(_) => Err(usage!("{option}: {text:?} is not a positive whole number")),
        Ok(number) => Ok(number),
    }
}

/// A service, or an instance of one such as `web:8080`.
pub(crate) fn service(text: &str) -> Result<Key, Failure> {
    Key::parse(text).map_err(|e| not_a_service(text, &e))
}

/// Why a text names no service.
pub(crate) fn not_a_service(text: &str, e: &NameError) -> Failure {
    usage!("service {text:?}: {e}")
}
