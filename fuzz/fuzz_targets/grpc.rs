//! A frame of gRPC's health protocol, read as a request and as an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| hacheck::http::fuzzing::grpc(data));
