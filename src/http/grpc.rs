//! The messages of gRPC's health protocol and their frames (gRPC over HTTP2, "Length-Prefixed-Message"; health.proto), for
//! both sides: the probe that asks, and the face that answers. The frames are those of every call, so etcd's client has
//! them from here too.
//!
//! Rule: whatever a peer sends is read without a panic; what is not as the protocol says is `None`.

use bytes::{BufMut as _, Bytes, BytesMut};
use prost::Message;

/// What is called.
pub(crate) const CHECK: &str = "/grpc.health.v1.Health/Check";

/// The service, as paths begin.
pub(crate) const SERVICE: &str = "/grpc.health.v1.Health/";

/// Bytes in front of a message: a flag for compression, and the length.
const FRAME_HEAD: usize = 5;

/// Asks for the health of a service; of the server as a whole when it is empty.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    pub(crate) service: String,
}

/// The answer.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    pub(crate) status: i32,
}

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

/// A status code of a call (grpc/doc/statuscodes.md): those that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Ok = 0,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    PermissionDenied = 7,
    Unimplemented = 12,
}

/// A message in a frame, without compression.
pub(crate) fn framed(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(FRAME_HEAD + length);
    frame.put_u8(0);
    // No message of ours has 4 GiB.
    frame.put_u32(u32::try_from(length).unwrap_or_default());
    frame.put_slice(&message.encode_to_vec());
    frame.freeze()
}

/// The message in a frame, which is all that there is. Nobody may compress it: that was not offered.
pub(crate) fn unframed<M: Message + Default>(frame: &[u8]) -> Option<M> {
    let (compressed, rest) = frame.split_first()?;
    let (length, message) = rest.split_first_chunk()?;
    let length = u32::from_be_bytes(*length);
    // A unary call sends one whole frame and nothing behind it.
    let is_whole = *compressed == 0 && usize::try_from(length) == Ok(message.len());
    match is_whole {
        true => M::decode(message).ok(),
        false => None,
    }
}

/// How long the first frame of some bytes is, its head too; `None` while its head has not come.
pub(crate) fn frame_length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(1..)?.first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    Some(FRAME_HEAD + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(service: &str) -> Bytes {
        framed(&HealthCheckRequest {
            service: service.into(),
        })
    }

    fn answered(frame: &[u8]) -> Option<i32> {
        unframed::<HealthCheckResponse>(frame).map(|response| response.status)
    }

    #[test]
    fn requests_are_one_frame() {
        assert_eq!(&asked("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&asked("ab")[..], b"\0\0\0\0\x04\x0a\x02ab");
        let long = asked(&"x".repeat(300));
        assert_eq!(&long[..8], b"\0\0\0\x01\x2f\x0a\xac\x02");
    }

    #[test]
    fn answers_are_read_and_garbage_is_none() {
        for (frame, status) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], Some(1)),
            (b"\0\0\0\0\0", Some(0)),
            (b"\0\0\0\0\x05\x12\x01x\x08\x02", Some(2)),
            (b"\0\0\0\0\x02\x08\x07", Some(7)),
            (b"\x01\0\0\0\x02\x08\x01", None),
            (b"\0\0\0\0\x03\x08\x01", None),
            (b"\0\0\0\0\x02\x08\xff", None),
            (b"\0\0\0\0\x02\x12\x7f", None),
            (b"\0\0", None),
            (b"", None),
            (
                b"\0\0\0\0\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                None,
            ),
        ] {
            assert_eq!(answered(frame), status, "{frame:?}");
        }
    }
}
