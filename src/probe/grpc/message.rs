//! The bytes and words of gRPC: the request, the answer's status, the names of codes.
//!
//! Rule: whatever a peer sends is read without a panic; what is not as the protocol says is `None`.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Bytes in front of a message: a flag for compression, and the length.
const FRAME_HEAD: usize = 5;

/// `HealthCheckRequest { string service = 1; }` in a frame, without compression.
pub(super) fn message(service: &str) -> Bytes {
    let message = request(service);
    let mut frame = BytesMut::with_capacity(FRAME_HEAD + message.len());
    frame.put_u8(0);
    // A query string is shorter than 4 GiB.
    frame.put_u32(u32::try_from(message.len()).unwrap_or_default());
    frame.put_slice(&message);
    frame.freeze()
}

fn request(service: &str) -> BytesMut {
    let mut message = BytesMut::new();
    if service.is_empty() {
        return message;
    }
    // Field 1 of wire type 2, a string.
    message.put_u8(0x0a);
    put_varint(&mut message, service.len());
    message.put_slice(service.as_bytes());
    message
}

/// Seven bits in each byte, the lowest first; the highest bit of a byte says that more follow.
fn put_varint(message: &mut BytesMut, value: usize) {
    let mut rest = value;
    while rest >= 0x80 {
        message.put_u8(low_bits(rest) | 0x80);
        rest >>= 7;
    }
    message.put_u8(low_bits(rest));
}

fn low_bits(value: usize) -> u8 {
    u8::try_from(value & 0x7f).unwrap_or_default()
}

/// `HealthCheckResponse { ServingStatus status = 1; }`; a status that is left out is 0.
pub(super) fn serving_status(frame: &[u8]) -> Option<u64> {
    let mut rest = unframed(frame)?;
    let mut status = 0;
    while !rest.is_empty() {
        let key = take_varint(&mut rest)?;
        let (field, wire_type) = (key >> 3, key & 7);
        match (field, wire_type) {
            (1, 0) => status = take_varint(&mut rest)?,
            _ => skip(&mut rest, wire_type)?,
        }
    }
    Some(status)
}

/// The message in a frame. The request allowed no compression.
fn unframed(frame: &[u8]) -> Option<&[u8]> {
    let (compressed, rest) = frame.split_first()?;
    let (length, message) = rest.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    // A second frame would be the answer of a stream, which this method is not.
    let is_whole = *compressed == 0 && length == message.len();
    is_whole.then_some(message)
}

/// Skips the value of a field that is not ours (Protocol Buffers, "Encoding").
fn skip(rest: &mut &[u8], wire_type: u64) -> Option<()> {
    let length = match wire_type {
        0 => return take_varint(rest).map(|_| ()),
        1 => 8,
        2 => usize::try_from(take_varint(rest)?).ok()?,
        5 => 4,
        _ => return None,
    };
    *rest = rest.get(length..)?;
    Some(())
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
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
    fn codes_have_names() {
        assert_eq!(code_name("12"), "grpc-status 12 UNIMPLEMENTED");
        assert_eq!(code_name("99"), "grpc-status 99");
    }
}
