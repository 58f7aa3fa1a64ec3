//! The door for fuzz/: what the first bytes of a connection and the frames of gRPC go through. Built with the feature
//! `fuzzing` only.

use super::foreign::Foreign;
use super::grpc::{self, HealthCheckRequest, HealthCheckResponse};
use super::proxy::{self, Beginning};

/// Takes the beginning of a connection.
///
/// # Panics
/// When a rule of headers is broken.
pub fn proxy(bytes: &[u8]) {
    let _ = Foreign::of(bytes);
    match proxy::beginning(bytes) {
        Beginning::Header(_, length) => {
            assert!(length <= bytes.len());
            // What comes behind it changes nothing.
            let more = [bytes, b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(proxy::beginning(&more), proxy::beginning(bytes));
            let part = &bytes[..length - 1];
            assert_eq!(proxy::beginning(part), Beginning::Wanting);
        }
        Beginning::Wanting => assert!(bytes.len() < proxy::HEADER_MAX),
        Beginning::NoHeader | Beginning::Broken => {}
    }
}

/// Takes a frame. What is read is written again as the same.
///
/// # Panics
/// When it is not.
pub fn grpc(frame: &[u8]) {
    if let Some(request) = grpc::unframed::<HealthCheckRequest>(frame) {
        let again = grpc::unframed(&grpc::framed(&request));
        assert_eq!(again, Some(request));
    }

    if let Some(response) = grpc::unframed::<HealthCheckResponse>(frame) {
        let again = grpc::unframed(&grpc::framed(&response));
        assert_eq!(again, Some(response));
    }
}
