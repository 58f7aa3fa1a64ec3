//! The bytes and words of gRPC: the request, the answer's status, the names of codes.
//!
//! Rule: whatever a peer sends is read without a panic; what is not as the protocol says is `None`.

use bytes::{BufMut as _, Bytes, BytesMut};

/// `HealthCheckRequest { string service = 1; }` in a frame: no compression, length, message.
pub(super) fn message(service: &str) -> Bytes {
    let mut proto = BytesMut::new();
    if !service.is_empty() {
        proto.put_u8(0x0a);
        let mut length = service.len();
        while length >= 0x80 {
            proto.put_u8(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        proto.put_u8(u8::try_from(length).unwrap_or_default());
        proto.put_slice(service.as_bytes());
    }
    let mut frame = BytesMut::with_capacity(proto.len() + 5);
    frame.put_u8(0);
    // A query string is shorter than 4 GiB.
    frame.put_u32(u32::try_from(proto.len()).unwrap_or_default());
    frame.put_slice(&proto);
    frame.freeze()
}

/// `HealthCheckResponse { ServingStatus status = 1; }`; a status that is left out is 0.
pub(super) fn serving_status(frame: &[u8]) -> Option<u64> {
    let (head, message) = frame.split_at_checked(5)?;
    let length = u32::from_be_bytes(head.get(1..5)?.try_into().ok()?);
    // The request allowed no compression.
    if head.first() != Some(&0) || usize::try_from(length).ok()? != message.len() {
        return None;
    }
    let mut rest = message;
    let mut status = 0;
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        match key & 7 {
            0 => {
                let value = varint(&mut rest)?;
                if key >> 3 == 1 {
                    status = value;
                }
            }
            1 => rest = rest.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            5 => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The names of gRPC's status codes (grpc/doc/statuscodes.md).
pub(super) fn code_name(code: &str) -> String {
    const NAMES: [&str; 17] = [
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
    let name = code.parse::<usize>().ok().and_then(|n| NAMES.get(n));
    name.map_or_else(
        || format!("grpc-status {}", code.escape_debug()),
        |n| format!("grpc-status {code} {n}"),
    )
}

pub(super) fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after
            .get(..2)
            .and_then(|h| std::str::from_utf8(h).ok())
            .filter(|_| byte == b'%');
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                rest = &after[2..];
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_frame() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("ab")[..], b"\0\0\0\0\x04\x0a\x02ab");
        let long = message(&"x".repeat(300));
        assert_eq!(&long[..8], b"\0\0\0\x01\x2f\x0a\xac\x02");
    }

    #[test]
    fn answers_are_read_and_garbage_is_none() {
        for (frame, status) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], Some(1)),
            (b"\0\0\0\0\0", Some(0)),
            (b"\0\0\0\0\x05\x12\x01x\x08\x02", Some(2)),
            (b"\x01\0\0\0\x02\x08\x01", None),
            (b"\0\0\0\0\x03\x08\x01", None),
            (b"\0\0\0\0\x02\x08\xff", None),
            (b"\0\0\0\0\x02\x12\x7f", None),
            (b"\0\0", None),
            (
                b"\0\0\0\0\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                None,
            ),
        ] {
            assert_eq!(serving_status(frame), status, "{frame:?}");
        }
    }

    #[test]
    fn messages_are_percent_decoded() {
        assert_eq!(
            percent_decoded("unknown%20service+a&b=c%21"),
            "unknown service+a&b=c!"
        );
        assert_eq!(code_name("12"), "grpc-status 12 UNIMPLEMENTED");
        assert_eq!(code_name("99"), "grpc-status 99");
    }
}
