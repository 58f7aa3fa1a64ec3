//! The beginning of a connection: a header of the PROXY protocol, a part of one, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hacheck::http::fuzzing::proxy(data));
