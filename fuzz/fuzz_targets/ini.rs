//! A file of `heartbeat`: every fault has a line of the file, and what is read does not depend on chance.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        hacheck::cli::fuzzing::heartbeat_file(text);
    }
});
