//! What every gRPC client needs (gRPC over HTTP2, "Requests" and "Responses"): its request, and the status of an answer, which
//! stands in the trailers, or in the headers when there is nothing else.

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, TE, USER_AGENT};
use hyper::{HeaderMap, Method, Version};
use percent_encoding::percent_decode_str;

use super::h2::MessageRequest;
use crate::names::text::beginning;

/// Most characters of a server's message that are told.
const MESSAGE_MAX: usize = 300;

/// A call of a method by its whole URI, with a message in its frame.
///
/// # Errors
/// When the URI is none.
pub(crate) fn request(uri: &str, frame: Bytes) -> Result<MessageRequest, hyper::http::Error> {
    hyper::Request::builder()
        .method(Method::POST)
        .version(Version::HTTP_2)
        .uri(uri)
        .header(CONTENT_TYPE, "application/grpc")
        // Some servers refuse those that do not say so (gRPC over HTTP2, "Requests").
        .header(TE, "trailers")
        .header(USER_AGENT, concat!("hacheck/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(frame))
}

/// How a call ended, where that is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// The code as it was sent; `None` where there was none.
    pub(crate) code: Option<String>,
    /// What the server says, on one line.
    pub(crate) message: String,
}

/// Whether a call ended well, by its trailers, or by its headers where it has no trailers.
///
/// # Errors
/// How it ended else.
pub(crate) fn expect_success(trailers: &HeaderMap, headers: &HeaderMap) -> Result<(), Failed> {
    let field = |name| match trailers.get(name) {
        Some(trailer) => trailer.to_str().ok(),
        None => headers.get(name)?.to_str().ok(),
    };

    match field("grpc-status") {
        Some("0") => Ok(()),
        code => Err(Failed {
            code: code.map(str::to_owned),
            message: readable(field("grpc-message").unwrap_or_default()),
        }),
    }
}

/// A message is percent-encoded.
fn readable(message: &str) -> String {
    let decoded = percent_decode_str(message).decode_utf8_lossy();
    beginning(&decoded, MESSAGE_MAX)
}

impl fmt::Display for Failed {
    /// The code and, where there is one, the message.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(code) = &self.code else {
            return f.write_str("the answer has no grpc-status");
        };

        f.write_str(&code_name(code))?;
        match self.message.as_str() {
            "" => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

/// The names of gRPC's status codes (grpc/doc/statuscodes.md).
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// A status code with its name, where it has one.
fn code_name(code: &str) -> String {
    let number: Option<usize> = code.parse().ok();
    match number.and_then(|n| CODES.get(n)) {
        Some(name) => format!("grpc-status {code} {name}"),
        None => format!("grpc-status {}", code.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_decoded_and_put_on_one_line() {
        assert_eq!(
            readable("unknown%20service+a&b=c%21"),
            "unknown service+a&b=c!"
        );
        assert_eq!(readable("a%0Ab%+f"), "a b%+f");
    }

    #[test]
    fn codes_have_names() {
        assert_eq!(code_name("12"), "grpc-status 12 UNIMPLEMENTED");
        assert_eq!(code_name("99"), "grpc-status 99");
    }
}
