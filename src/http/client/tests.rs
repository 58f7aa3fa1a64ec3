use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::http::memory::MemoryBudget;

/// An upstream that takes any request, sends its answer in pieces and then closes the connection.
struct Upstream {
    pieces: VecDeque<Vec<u8>>,
    /// It ends as TLS does without a closing message.
    is_abrupt: bool,
}

impl AsyncRead for Upstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(mut piece) = self.pieces.pop_front() else {
            return Poll::Ready(match self.is_abrupt {
                true => Err(io::ErrorKind::UnexpectedEof.into()),
                false => Ok(()),
            });
        };
        let rest = piece.split_off(piece.len().min(buf.remaining()));
        buf.put_slice(&piece);
        if !rest.is_empty() {
            self.pieces.push_front(rest);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

type Outcome = Result<(u16, String), String>;

fn outcome(method: Method, upstream: Upstream, max_body: usize) -> Outcome {
    let request = request(method, "/", HeaderMap::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let memory = MemoryBudget::new(1 << 20);
    let body = BodyBuffer::new(memory.permit(0), max_body);
    let asking = ask(AnyStream::new(upstream), request, body);
    match runtime.unwrap().block_on(asking) {
        Ok(response) => Ok((
            response.status.as_u16(),
            String::from_utf8_lossy(&response.body).into_owned(),
        )),
        Err(e) => Err(e.to_string()),
    }
}

/// What becomes of an answer that comes in pieces of one size.
fn asked(method: Method, answer: &[u8], piece: usize, max_body: usize) -> Outcome {
    let pieces = answer.chunks(piece).map(<[u8]>::to_vec).collect();
    let upstream = Upstream {
        pieces,
        is_abrupt: false,
    };
    outcome(method, upstream, max_body)
}

fn got(answer: impl AsRef<[u8]>, piece: usize) -> Outcome {
    asked(Method::GET, answer.as_ref(), piece, 100)
}

#[track_caller]
fn same_in_all_pieces(answer: &str) -> Outcome {
    let whole = got(answer, usize::MAX);
    for piece in 1..answer.len() {
        assert_eq!(got(answer, piece), whole, "pieces of {piece}: {answer:?}");
    }
    whole
}

/// Answers that curl takes, too, with their bodies.
const TAKEN: &[(&str, &str)] = &[
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
        "ok",
    ),
    (
        "HTTP/1.1 200\r\ncontent-length:2, 2\r\nContent-Length: 02\r\n\r\nok",
        "ok",
    ),
    ("HTTP/1.1 200  OK\r\nContent-Length:\t2 \r\n\r\nok", "ok"),
    (
        "HTTP/1.1 200 Tr\u{e8}s bien\r\n\u{e9}: a\r\nX: \u{e9}\r\n\r\nok",
        "ok",
    ),
    ("HTTP/1.1 200 OK\nContent-Length: 0\n\nno", ""),
    ("HTTP/1.1 200 OK\nContent-Length: 2\r\n\nok", "ok"),
    (
        "HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil close",
        "until close",
    ),
    // Headers that are none: a space in front of the colon, lines that go on, names with odd characters.
    (
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\nA: b\r\n c\r\n\r\nok",
        "ok",
    ),
    (
        "HTTP/1.1 200 OK\r\nX(y): x\r\n: z\r\nX Y: z\r\nX: \x01\r\n\r\nok",
        "ok",
    ),
    // Chunks.
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
        "ok",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: CHUNKED\r\n\r\n002;a=\"b\"\r\nok\r\n00\r\nX: y\r\n\r\n",
        "ok",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n2  \r\nok\r\n0\r\n\r\n",
        "ok",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "ok",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nok",
        "ok",
    ),
    // Statuses without a body, and answers before the answer.
    ("HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", ""),
    ("HTTP/1.1 304 No\r\nContent-Length: 2\r\n\r\n", ""),
    (
        "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hint\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok",
        "ok",
    ),
    (
        "HTTP/1.1 100 Go\r\nContent-Length: 0\r\n\r\nHTTP/1.0 200 OK\r\n\r\nok",
        "ok",
    ),
    (
        "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok",
        "ok",
    ),
];

#[test]
fn odd_answers_are_taken_as_curl_takes_them() {
    for (answer, body) in TAKEN {
        let (_, taken) = same_in_all_pieces(answer).unwrap_or_else(|e| panic!("{answer:?}: {e}"));
        assert_eq!(taken, *body, "{answer:?}");
    }
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(asked(Method::HEAD, head, 7, 9), Ok((200, String::new())));
}

/// Answers that are none, and what is said of them.
const REFUSED: &[(&str, &str)] = &[
    ("", "before its answer was complete"),
    ("HTTP/1.1 200 OK\r\n", "before its answer was complete"),
    ("HTTP/1.1 100 Go\r\n\r\n", "before its answer was complete"),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
        "before its answer was complete",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
        "before its answer was complete",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok",
        "cannot be read: invalid chunk size",
    ),
    (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
        "cannot be read: invalid chunk",
    ),
    (
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "unexpected transfer-encoding",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
        "invalid content-length",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        "invalid content-length",
    ),
    (
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
        "invalid content-length",
    ),
    ("HTTP/1.1 101 Switching\r\n\r\n", "101"),
    (
        "HTTP/1.1 099 Low\r\n\r\n",
        "not HTTP/1: invalid HTTP status-code",
    ),
    (
        "HTTP/2.0 200 OK\r\n\r\n",
        "not HTTP/1: invalid HTTP version",
    ),
    (
        "SSH-2.0-OpenSSH_9.2\r\n",
        "not HTTP/1: invalid HTTP version",
    ),
    ("\0\0\0\0", "not HTTP/1: invalid HTTP version"),
];

#[test]
fn what_is_no_whole_answer_fails() {
    for (answer, says) in REFUSED {
        let failed = same_in_all_pieces(answer).unwrap_err();
        assert!(failed.contains(says), "{answer:?}: {failed}");
    }
}

#[test]
fn the_end_of_a_tls_connection_needs_no_closing_message() {
    let ends = |answer: &[u8]| {
        let upstream = Upstream {
            pieces: [answer.to_vec()].into(),
            is_abrupt: true,
        };
        outcome(Method::GET, upstream, 100)
    };
    assert_eq!(ends(b"HTTP/1.1 200 OK\r\n\r\nok"), Ok((200, "ok".into())));
    let cut = ends(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok");
    assert!(cut.is_err_and(|e| e.contains("before its answer was complete")));
}

#[test]
fn heads_are_bounded() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(HEAD_MAX));
    let many =
        |headers: usize| format!("HTTP/1.1 200 OK\r\n{}\r\nbody", "A: b\r\n".repeat(headers));
    for answer in [long, many(HEADERS_MAX + 1)] {
        for piece in [1 << 10, 8 << 10, usize::MAX] {
            let failed = got(&answer, piece).unwrap_err();
            assert!(
                failed.contains("more than 64 KiB or 256 headers"),
                "{failed}"
            );
        }
    }
    assert_eq!(got(many(HEADERS_MAX), 1000), Ok((200, "body".into())));
    let most = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\n\r\nbody",
        "y".repeat(HEAD_MAX - 24)
    );
    assert_eq!(got(most, 8 << 10), Ok((200, "body".into())));
}

#[test]
fn bodies_are_cut_at_the_limit() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n0123456789",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551613\r\n\r\n0123456789",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\nffffffff\r\n56789",
    ] {
        for piece in 1..answer.len() {
            let cut = asked(Method::GET, answer.as_bytes(), piece, 9);
            assert_eq!(cut, Ok((200, "012345678".into())), "{answer:?}");
        }
    }
}

#[test]
fn a_path_reaches_the_upstream_as_it_is() {
    for path in [
        "/",
        "//x",
        "/a%2Fb%41?q=%20&r",
        "/\u{e9}'\"{}|",
        "/;csv",
        "/x?y?z",
    ] {
        let request = request(Method::GET, path, HeaderMap::new()).unwrap();
        assert_eq!(request.uri().to_string(), path);
    }
    for path in ["/a b", "/a\r\nX: y", "/\u{7f}\0"] {
        assert!(
            request(Method::GET, path, HeaderMap::new()).is_err(),
            "{path:?}"
        );
    }
}
