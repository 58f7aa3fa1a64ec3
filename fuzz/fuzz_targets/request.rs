//! Method and path, HAProxy's and nerve's header, one per line: from route to target and spool entries.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut lines = data.splitn(4, |b| *b == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    hacheck::daemon::fuzzing::request(next(), next(), next(), next());
});
