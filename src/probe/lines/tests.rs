use super::*;

/// Runs a future that only ever waits for memory.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(work)
}

fn over<'a>(trace: &'a Trace, data: &'static [u8]) -> Lines<'a> {
    Lines::over(tokio::io::join(data, tokio::io::sink()), trace)
}

#[test]
fn lines_end_with_lf_or_crlf() {
    run(async {
        let trace = Trace::start(false);
        let mut lines = over(&trace, b"one\r\ntwo\n\r\n\nfive\r\r\nrest");
        for expected in ["one", "two", "", "", "five\r"] {
            assert_eq!(lines.line(100).await.unwrap(), expected);
        }
        let broken = lines.line(100).await.unwrap_err();
        assert!(broken.is_closed());
        assert_eq!(
            broken.to_string(),
            "the peer closed the connection in the middle of its answer, got \"rest\""
        );
    });
}

#[test]
fn a_line_is_never_longer_than_its_bound() {
    run(async {
        let trace = Trace::start(false);
        assert_eq!(over(&trace, b"123\n").line(4).await.unwrap(), "123");
        let broken = over(&trace, b"1234\n").line(4).await.unwrap_err();
        assert!(!broken.is_closed());
        assert_eq!(
            broken.to_string(),
            "the answer does not end within 4 bytes, got \"1234\\n\""
        );
        let endless = Lines::over(
            tokio::io::join(tokio::io::repeat(b'x'), tokio::io::sink()),
            &trace,
        );
        let broken = { endless }.line(10_000).await.unwrap_err().to_string();
        assert!(broken.len() < 200 && broken.ends_with("x…\""), "{broken}");
    });
}

#[test]
fn counted_bytes_and_the_rest_follow_lines() {
    run(async {
        let trace = Trace::start(false);
        let mut lines = over(&trace, b"$4\r\nab\ncd# Keyspace and more");
        assert_eq!(lines.peek().await.unwrap(), b'$');
        assert_eq!(lines.line(10).await.unwrap(), "$4");
        assert_eq!(lines.exact(4).await.unwrap(), "ab\nc");
        assert_eq!(
            lines.until(b"Keyspace", 100).await.unwrap(),
            "d# Keyspace and more"
        );
        assert!(lines.until(b"", 100).await.is_err(), "nothing is no rest");
        assert!(over(&trace, b"abc").exact(4).await.unwrap_err().is_closed());
        assert_eq!(
            over(&trace, b"abc").until(b"Keyspace", 100).await.unwrap(),
            "abc"
        );
        let endless = Lines::over(
            tokio::io::join(tokio::io::repeat(b'x'), tokio::io::sink()),
            &trace,
        );
        assert!({ endless }.until(b"", 1 << 20).await.is_err());
    });
}

#[test]
fn the_trace_knows_what_came_so_far() {
    run(async {
        let trace = Trace::start(false);
        trace.stage("waiting");
        let _ = over(&trace, b"+PO").line(100).await;
        assert_eq!(trace.current(), "waiting, so far \"+PO\"");
        trace.stage("next");
        assert_eq!(trace.current(), "next");
    });
}

#[test]
fn a_secret_that_comes_back_is_masked() {
    run(async {
        let trace = Trace::start(true);
        let mut lines = over(&trace, b"-ERR unknown: hunter2");
        lines.hide("hunter2");
        let broken = lines.line(1000).await.unwrap_err().to_string();
        assert!(broken.ends_with("got \"-ERR unknown: ***\""), "{broken}");
        assert!(!trace.current().contains("hun"), "{}", trace.current());
    });
}

#[test]
fn no_bytes_upset_the_reader() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..2000 {
        let data: Vec<u8> = (0..40)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                b"\r\n:$-+ab\x00\xff"[usize::try_from(state >> 33).unwrap() % 10]
            })
            .collect();
        run(async {
            let trace = Trace::start(false);
            let mut lines = Lines::over(tokio::io::join(&data[..], tokio::io::sink()), &trace);
            lines.hide("ab");
            let mut read = 0;
            while let Ok(line) = lines.line(7).await {
                assert!(line.len() <= 6);
                read += line.len();
            }
            assert!(read <= data.len());
            let _ = lines.until(b"$-", 5).await.map_err(|e| e.to_string());
        });
    }
}
