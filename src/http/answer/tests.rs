use super::*;

/// What becomes of an answer that comes in pieces of one size, and is then closed.
fn read(answer: &[u8], piece: usize, max: usize, bodiless: bool) -> Result<(u16, String), String> {
    let mut incoming = Incoming::new(max, bodiless);
    let mut closed = true;
    for came in answer.chunks(piece) {
        if incoming.take(came).map_err(|e| e.to_string())? {
            closed = false;
            break;
        }
    }
    let answer = incoming.end(closed).map_err(|e| e.to_string())?;
    Ok((
        answer.status.as_u16(),
        String::from_utf8_lossy(&answer.body).into_owned(),
    ))
}

fn same_in_all_pieces(answer: &str) -> Result<(u16, String), String> {
    let whole = read(answer.as_bytes(), usize::MAX, 100, false);
    for piece in 1..answer.len() {
        assert_eq!(
            read(answer.as_bytes(), piece, 100, false),
            whole,
            "in pieces of {piece}: {answer:?}"
        );
    }
    whole
}

#[test]
fn a_body_ends_as_its_head_says() {
    for (answer, body) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
            "ok",
        ),
        (
            "HTTP/1.1 200\r\ncontent-length:2, 2\r\nContent-Length: 2\r\n\r\nok",
            "ok",
        ),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\nno", ""),
        ("HTTP/1.1 200 OK\r\n\r\nuntil close", "until close"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nmore",
            "ok",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked ,\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "ok",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n2",
            "2",
        ),
        ("HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n", ""),
        (
            "HTTP/1.1 304 No\r\nContent-Length: none\r\nTransfer-Encoding: chunked\r\n\r\n",
            "",
        ),
        (
            "HTTP/1.1 103 Hint\r\nContent-Length: 1, 2\r\n\r\nHTTP/1.0 200 OK\r\n\r\nok",
            "ok",
        ),
        ("\r\n\r\nHTTP/1.1 200 OK\r\n\r\nok", "ok"),
        (
            "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hint\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "ok",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length : 2\r\nA: b\r\n c\r\n\r\nok",
            "ok",
        ),
    ] {
        assert_eq!(
            same_in_all_pieces(answer).map(|a| a.1).as_deref(),
            Ok(body),
            "{answer:?}"
        );
    }
    assert_eq!(
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 7, 9, true),
        Ok((200, String::new()))
    );
}

#[test]
fn what_is_no_whole_answer_fails() {
    for (answer, says) in [
        ("", "before its answer was complete"),
        ("HTTP/1.1 200 OK\r\n", "before its answer was complete"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "before its answer was complete",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
            "before its answer was complete",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
            "both Content-Length and",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok",
            "Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
            "Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
            "Content-Length",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok",
            "chunk",
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            "HTTP/1.0 has not",
        ),
        ("HTTP/1.1 101 Switching\r\n\r\n", "101"),
        ("HTTP/1.1 099 Low\r\n\r\n", "not HTTP/1"),
        ("HTTP/2.0 200 OK\r\n\r\n", "not HTTP/1"),
        ("SSH-2.0-OpenSSH_9.2\r\n", "not HTTP/1"),
        ("\0\0\0\0", "not HTTP/1"),
    ] {
        let failed = same_in_all_pieces(answer).unwrap_err();
        assert!(failed.contains(says), "{answer:?}: {failed}");
    }
}

#[test]
fn heads_and_bodies_are_bounded() {
    let head = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(HEAD_MAX));
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}\r\n",
        "A: b\r\n".repeat(HEADERS_MAX + 1)
    );
    let interim = "HTTP/1.1 100 Go\r\n\r\n".repeat(HEAD_MAX / 16);
    for answer in [&head, &many, &interim] {
        for piece in [1 << 10, usize::MAX] {
            assert!(read(answer.as_bytes(), piece, 9, false).is_err());
        }
    }
    let body = "b".repeat(HEAD_MAX);
    let full = format!(
        "HTTP/1.1 200 OK\r\nX: {}\r\n\r\n{body}",
        "y".repeat(HEAD_MAX - 24)
    );
    for piece in [1 << 10, 8 << 10, usize::MAX] {
        assert_eq!(
            read(full.as_bytes(), piece, body.len(), false).map(|a| a.1.len()),
            Ok(body.len()),
            "{piece}"
        );
    }
    let most = format!(
        "HTTP/1.1 200 OK\r\n{}\r\nbody",
        "A: b\r\n".repeat(HEADERS_MAX)
    );
    assert_eq!(
        read(most.as_bytes(), 1000, 9, false),
        Ok((200, "body".into()))
    );
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n0123456789",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n0123456789",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\nffffffff\r\n56789",
    ] {
        for piece in 1..answer.len() {
            assert_eq!(
                read(answer.as_bytes(), piece, 9, false),
                Ok((200, "012345678".into())),
                "{answer:?}"
            );
        }
    }
}
