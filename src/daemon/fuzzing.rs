//! The door for fuzz/: what a request's bytes go through before anything is done. Built with the feature `fuzzing` only.

use std::sync::LazyLock;

use hyper::{HeaderMap, Method, Uri};

use super::route::{self, Route};
use super::target;
use crate::config::Config;
use crate::spool::Key;
use crate::sys::LocalAddresses;

/// Takes a request's method, target and two headers as far as to spool entries and target.
///
/// # Panics
/// When a rule of the spool's names is broken.
pub fn request(method: &[u8], uri: &[u8], state: &[u8], nerve: &[u8]) {
    let Ok(method) = Method::from_bytes(method) else { return };
    let Ok(uri) = Uri::try_from(uri) else { return };
    let Ok(Route::Check(check)) = route::parse(&method, uri.path()) else { return };
    let mut headers = HeaderMap::new();
    for (name, value) in [("x-haproxy-server-state", state), ("x-nerve-check-ip", nerve)] {
        if let Ok(value) = value.try_into() {
            headers.insert(name, value);
        }
    }
    static MEANS: LazyLock<(Config, LocalAddresses)> = LazyLock::new(Default::default);
    let asked = target::build(&check, &uri, &headers, &MEANS.0, &MEANS.1);
    for name in &asked.entries.names() {
        assert!(Key::parse(name).is_ok_and(|k| k.file_name() == *name), "{name:?} is no spool entry");
    }
    if let (Ok(target), Some(_)) = (&asked.target, check.protocol) {
        assert!(target.path.starts_with('/'), "{target:?}");
    }
}
