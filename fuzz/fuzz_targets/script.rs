//! What a server says to the lines of a script.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hacheck::probe::fuzzing::script(data));
