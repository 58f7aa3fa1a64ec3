//! A server's certificate, of which the end is read.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hacheck::probe::fuzzing::certificate(data));
