//! The names of gRPC's status codes.

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
pub(super) fn code_name(code: &str) -> String {
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
    fn codes_have_names() {
        assert_eq!(code_name("12"), "grpc-status 12 UNIMPLEMENTED");
        assert_eq!(code_name("99"), "grpc-status 99");
    }
}
