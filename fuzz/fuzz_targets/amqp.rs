//! What an AMQP server says to the protocol header and to a login.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hacheck::probe::fuzzing::amqp(data));
