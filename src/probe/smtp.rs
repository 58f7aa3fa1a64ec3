//! `smtp` and `smtps`: a greeting of 220, then `QUIT`, which 221 answers (RFC 5321, sections 3.1 and 4.1.1.10). Where the
//! service's settings say so, TLS is asked for in between, by STARTTLS (RFC 3207).

use bytes::Bytes;

use super::connection::Connection;
use super::lines::{Incomplete, Lines};
use super::{Checked, Outcome, Probe, Protocol, Request, login, options, settle, tls};

/// Longest line, in bytes. RFC 5321 says 512 (section 4.5.3.1.5); greetings are known to be longer.
const LINE_MAX: usize = 4096;

/// Most lines of one reply.
const LINES_MAX: usize = 100;

/// The row of the table.
pub(super) const SMTP: Protocol = Protocol {
    name: "smtp",
    needs_slash: false,
    request: Request::Ignored,
    keyed_by_service: false,
    default_port: Some(25),
    bare_timeout: true,
    login: login::none,
    probe: |probe| settle(check(probe)),
};

/// The row of `smtps`, which is TLS from the first byte (RFC 8314, section 3.3).
pub(super) const SMTPS: Protocol = Protocol {
    name: "smtps",
    // Unlike smtp, which the replaced tools have.
    request: Request::Options(options::none),
    default_port: Some(465),
    ..SMTP
};

async fn check(probe: &Probe<'_>) -> Checked {
    let is_encrypted = is_encrypted(probe);
    let mut lines = if probe.service().starts_tls() && !is_encrypted {
        // The server greets before TLS, and does not do so again (RFC 3207, section 4.2).
        greet_and_start_tls(probe).await?
    } else {
        let mut lines = Lines::connect_as(probe, is_encrypted).await?;
        greet(probe, &mut lines).await?;
        lines
    };

    quit(probe, &mut lines).await?;
    let elapsed = probe.trace.elapsed();
    Ok(Outcome::healthy(format!("Connected in {elapsed}")))
}

/// Whether TLS begins before the greeting: always by `smtps`, else where `tls` says so without `starttls`.
fn is_encrypted(probe: &Probe<'_>) -> bool {
    let service = probe.service();
    // With STARTTLS the connection begins in clear text.
    let is_wanted = service.wants_tls() == Some(true) && !service.starts_tls();
    probe.protocol.name == SMTPS.name || is_wanted
}

async fn greet_and_start_tls<'a>(probe: &Probe<'a>) -> Result<Lines<'a>, Outcome> {
    let mut connection = Connection::open(probe).await?;
    let mut lines = Lines::over(&mut connection, probe.trace);
    greet(probe, &mut lines).await?;
    start_tls(probe, &mut lines).await?;
    // What somebody in between adds here would pass for the server's own words later.
    if lines.has_more() {
        return Err(probe.failed("the server sent more than its answer to STARTTLS before TLS"));
    }

    drop(lines);
    let encrypted = tls::wrap(probe, connection).await?;
    Ok(Lines::over(encrypted, probe.trace))
}

async fn greet(probe: &Probe<'_>, lines: &mut Lines<'_>) -> Result<(), Outcome> {
    probe.trace.stage("waiting for the greeting");
    let greeting = read_reply(lines).await;
    expect(probe, lines, "greeting", "220", greeting)
}

async fn quit(probe: &Probe<'_>, lines: &mut Lines<'_>) -> Result<(), Outcome> {
    probe.trace.stage("waiting for the answer to QUIT");
    let farewell = ask(lines, b"QUIT\r\n").await;
    expect(probe, lines, "QUIT response", "221", farewell)
}

async fn ask(lines: &mut Lines<'_>, command: &[u8]) -> Result<Bytes, Incomplete> {
    lines.send(command).await?;
    read_reply(lines).await
}

/// Reads a reply of one or more lines, and returns the first.
async fn read_reply(lines: &mut Lines<'_>) -> Result<Bytes, Incomplete> {
    let first = lines.line(LINE_MAX).await?;
    let mut last = first.clone();
    let mut count = 1;
    // The code is known by now; the other lines are read so that the next reply is not taken for this one.
    while goes_on(&last) && count < LINES_MAX {
        last = lines.line(LINE_MAX).await?;
        count += 1;
    }

    Ok(first)
}

/// Whether more lines follow: `220-text` (RFC 5321 section 4.2.1).
fn goes_on(line: &[u8]) -> bool {
    match line.split_at_checked(3) {
        Some((code, [b'-', ..])) => code.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

async fn start_tls(probe: &Probe<'_>, lines: &mut Lines<'_>) -> Result<(), Outcome> {
    // STARTTLS is an extension, which a server offers only to those who say EHLO.
    probe.trace.stage("waiting for the answer to EHLO");
    let hello = ask(lines, b"EHLO localhost\r\n").await;
    expect(probe, lines, "EHLO response", "250", hello)?;
    probe.trace.stage("waiting for the answer to STARTTLS");
    let ready = ask(lines, b"STARTTLS\r\n").await;
    expect(probe, lines, "STARTTLS response", "220", ready)
}

/// Fails unless a reply came with this code.
fn expect(
    probe: &Probe<'_>,
    lines: &Lines<'_>,
    what: &str,
    code: &str,
    reply: Result<Bytes, Incomplete>,
) -> Result<(), Outcome> {
    let line = reply.map_err(|incomplete| failed(probe, &incomplete))?;
    let shown = lines.shown(&line);
    probe.trace.note(|| format!("{what} '{shown}'"));
    if has_code(&line, code) {
        return Ok(());
    }

    Err(Outcome::unavailable(format!(
        "Got unexpected {what} '{shown}'"
    )))
}

/// Whether a line begins with a code, and then ends or goes on with a blank or a hyphen.
fn has_code(line: &[u8], code: &str) -> bool {
    // `220-` goes on, and `2200` is another code.
    match line.strip_prefix(code.as_bytes()) {
        Some([]) => true,
        Some([next, ..]) => *next == b'-' || next.is_ascii_whitespace(),
        None => false,
    }
}

/// A connection that ended early has the originals' body.
fn failed(probe: &Probe<'_>, incomplete: &Incomplete) -> Outcome {
    let failed = probe.failed(incomplete);
    if !incomplete.is_closed() {
        return failed;
    }

    let cause = String::from_utf8_lossy(&failed.body);
    Outcome::unavailable("Peer unexpectedly closed connection").because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Trace;

    async fn read(data: &[u8]) -> Option<Bytes> {
        let trace = Trace::start(false);
        let mut lines = Lines::over(tokio::io::join(data, tokio::io::sink()), &trace);
        read_reply(&mut lines).await.ok()
    }

    #[test]
    fn a_reply_is_read_to_its_last_line() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for (data, first) in [
            ("220 ready\r\n", Some("220 ready")),
            ("220-so\r\n220-long\r\n220 ready\r\n", Some("220-so")),
            ("220-so\n220\n", Some("220-so")),
            ("221\r\n", Some("221")),
            ("\r\n", Some("")),
            ("220-so\r\n", None),
            ("220 no end", None),
            ("", None),
        ] {
            assert_eq!(
                runtime.block_on(read(data.as_bytes())).as_deref(),
                first.map(str::as_bytes),
                "{data:?}"
            );
        }
        assert!(
            runtime
                .block_on(read("220-x\r\n".repeat(1000).as_bytes()))
                .is_some(),
            "the count of lines is bounded"
        );
    }

    #[test]
    fn a_code_stands_alone_or_before_a_blank_or_hyphen() {
        for line in ["220", "220 x", "220-x", "220\tx"] {
            assert!(has_code(line.as_bytes(), "220"), "{line}");
        }
        for line in ["", "22", "2200", "221 x", " 220", "x220"] {
            assert!(!has_code(line.as_bytes(), "220"), "{line}");
        }
    }
}
