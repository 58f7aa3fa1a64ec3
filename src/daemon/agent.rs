//! HAProxy's agent-check (HAProxy manual, "agent-check" and "agent-send"): one line in, one line out.
//!
//! What is asked for is a service (`web`), an instance (`web:8080`), or a check (`http/web/8080/health`); a balancer that
//! sends nothing asks for `all`.
//!
//! Rule: health words only, `down` and `up`, never `maint`, `drain` or `ready`: those are the balancer admin's. Weights
//! are told only where hacheck was given them (`agent_weights`). What cannot be answered is answered with a word that
//! HAProxy does not know, which changes nothing there.
//!
//! Agents are accepted like pollers of HTTP, and the same limits apply to their connections. One that has sent no complete
//! line is idle.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{self, timeout, timeout_at};

use super::poll::Poll;
use super::poll::decide::Verdict;
use super::poll::named::{NAME_MAX, Named, NamedError};
use super::state::DaemonState;
use crate::http::accept::{Accepted, ConnectionHandler};
use crate::http::connections::OpenConnection;
use crate::http::foreign::Foreign;
use crate::http::phrase::reason_phrase;
use crate::ledger::Face;
use crate::names::text::beginning;
use crate::os::cause::cause_text;
use crate::probe::Outcome;
use crate::spool::{Downtime, Mark};

/// How long a balancer may be silent before it is taken for one without `agent-send`.
const SILENCE: Duration = Duration::from_millis(100);

/// How long a line may take to arrive.
const LINE: Duration = Duration::from_secs(1);

/// Most characters of a line that a complaint repeats.
const SHOWN_MAX: usize = 300;

/// How long the answer may take to be written.
const WRITE: Duration = Duration::from_secs(5);

/// Answers agents.
#[derive(Clone)]
pub(crate) struct Agents(pub Arc<DaemonState>);

impl ConnectionHandler<TcpStream> for Agents {
    fn admits(&self, peer: IpAddr) -> bool {
        self.0.admits(peer)
    }

    async fn serve(self, accepted: Accepted<TcpStream>) {
        let mut stream = accepted.stream;
        let from = accepted.peer.ip().to_canonical();
        let line = match line(&mut stream).await {
            Ok(line) => line,
            Err(e) => {
                log::debug!("agent-check from {from}: {e}");
                return;
            }
        };

        let arrived = Instant::now();
        // From the whole line on, and until the answer is sent: a connection with a request under way is not evicted as idle.
        let _asked = accepted.open.busy(arrived);
        note_foreign(&accepted.open, &line);
        let agent = AskingAgent { from, arrived };
        let text = answer(&self.0, &line, agent).await;
        // Whether it arrives is the balancer's to notice: it asks again.
        let _ = timeout(WRITE, send(&mut stream, &text)).await;
    }
}

/// Who asks, and since when.
#[derive(Clone, Copy)]
struct AskingAgent {
    from: IpAddr,
    arrived: Instant,
}

async fn send(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    stream.write_all(format!("{text}\n").as_bytes()).await?;
    // HAProxy reads to the end of the connection.
    stream.shutdown().await
}

/// Counts what is none of the agent protocol. HTTP begins like a line that names a check.
fn note_foreign(open: &OpenConnection, line: &[u8]) {
    match Foreign::of(line) {
        Foreign::Other => {}
        Foreign::Http if !ends_as_http(line) => {}
        kind => open.is_foreign(kind),
    }
}

fn ends_as_http(line: &[u8]) -> bool {
    line.trim_ascii_end().ends_with(b" HTTP/1.1")
}

/// The answer to a line, without its end.
async fn answer(state: &DaemonState, line: &[u8], agent: AskingAgent) -> String {
    let text = match decide(state, line, agent).await {
        Ok(text) => text,
        Err(why) => no_answer(agent.from, &why),
    };

    let (from, question) = (agent.from, String::from_utf8_lossy(line));
    log::debug!("agent-check from {from}: {question:?} is answered {text}");
    text
}

/// A word that HAProxy does not know, and why there is no other.
fn no_answer(from: IpAddr, why: &str) -> String {
    log::warn!("agent-check from {from}: {why}");
    format!("error #{}", reason_phrase(why).unwrap_or_default())
}

async fn decide(state: &DaemonState, line: &[u8], agent: AskingAgent) -> Result<String, String> {
    let AskingAgent { from, arrived } = agent;
    let named = named(line)?;
    let (path, headers) = named.check().map_err(|e| fault(line, &e))?;
    let live = state.live();
    let mut poll = Poll::new(Face::Agent, from, &path, &headers, &live, arrived);
    let verdict = poll.decide(state, &live).await;
    // An answer of an agent has no status; 0 stands for that.
    poll.answered(state, &verdict, 0);
    Ok(said(&verdict, live.config.daemon.agent_weights))
}

/// What a line asks for.
fn named(line: &[u8]) -> Result<Named, String> {
    // As a name it would be one that nobody took down.
    if Foreign::of(line) == Foreign::Proxy {
        return Err("agent ports take no header of the PROXY protocol".to_owned());
    }

    let Ok(text) = str::from_utf8(line) else {
        return Err("agent-send is not text".to_owned());
    };

    Named::parse(text.trim()).map_err(|e| fault(line, &e))
}

fn fault(line: &[u8], e: &NamedError) -> String {
    let line = String::from_utf8_lossy(line);
    format!("agent-send {:?}: {e}", beginning(line.trim(), SHOWN_MAX))
}

/// The line, without its end; empty when nothing came.
async fn line(stream: &mut TcpStream) -> Result<Vec<u8>, String> {
    // One deadline for the whole line: bytes that drip in do not prolong it.
    let end = time::Instant::now() + LINE;
    let Ok(first) = timeout(SILENCE, read_part(stream)).await else {
        // It says nothing, as one without `agent-send` does.
        return Ok(Vec::new());
    };

    let line = first?;
    match timeout_at(end, rest_of_line(line, stream)).await {
        Ok(line) => line,
        Err(_) => Err("the line did not come in time".into()),
    }
}

/// Reads on to the end of the line, or of the connection.
async fn rest_of_line(mut line: Vec<u8>, stream: &mut TcpStream) -> Result<Vec<u8>, String> {
    // What counts is the end of the line, and not of the connection: HAProxy keeps its side open for the answer.
    while !line.is_empty() && !is_whole(&mut line) {
        let part = read_part(stream).await?;
        if part.is_empty() {
            break;
        }
        line.extend_from_slice(&part);
    }

    Ok(line)
}

/// What came next; nothing at the end of the connection.
async fn read_part(stream: &mut TcpStream) -> Result<Vec<u8>, String> {
    let mut part = vec![0; 256];
    let length = stream.read(&mut part).await.map_err(cause_text)?;
    part.truncate(length);
    Ok(part)
}

/// Whether the end of the line has come, which is cut off then, or the line is too long for a name and so answered as
/// what it is.
fn is_whole(line: &mut Vec<u8>) -> bool {
    match line.iter().position(|byte| *byte == b'\n') {
        Some(end) => {
            line.truncate(end);
            true
        }
        None => line.len() > NAME_MAX,
    }
}

/// The answer's line, without its end.
fn said(verdict: &Verdict, weights: bool) -> String {
    match verdict {
        Verdict::Down(closed) => closed_by(&closed.downtime, weights),
        Verdict::Refused(outcome) => failing(outcome),
        Verdict::Open { outcome, drain } => open(outcome.as_deref(), weights, drain.is_some()),
    }
}

fn open(outcome: Option<&Outcome>, weights: bool, drains: bool) -> String {
    match outcome {
        // Down for agents too, even where its service only drains.
        Some(outcome) if !outcome.passes() => failing(outcome),
        _ => up(weights, drains).to_owned(),
    }
}

fn closed_by(downtime: &Downtime, weights: bool) -> String {
    match downtime.mark() {
        Some(Mark::Soft) => soft(weights).to_owned(),
        _ => down(downtime),
    }
}

fn up(weights: bool, drains: bool) -> &'static str {
    match (weights, drains) {
        (false, _) => "up",
        (true, true) => "up 0%",
        // The weight is told each time, as it stays in HAProxy what it was told last.
        (true, false) => "up 100%",
    }
}

/// After `down` HAProxy would end what a soft downtime lets live. The checks tell the rest, by 404.
fn soft(weights: bool) -> &'static str {
    up(weights, true)
}

/// `down #who: why`; often the reason is who.
fn down(downtime: &Downtime) -> String {
    let reason = &downtime.reason;
    match downtime.by() {
        Some(by) if !reason.starts_with(by) => comment(&format!("{by}: {reason}")),
        _ => comment(reason),
    }
}

fn failing(outcome: &Outcome) -> String {
    // HAProxy reads lines of its buffer's size at most, and shows less.
    let start = &outcome.body[..outcome.body.len().min(400)];
    let code = outcome.status.as_u16();
    comment(&format!("{code} {}", String::from_utf8_lossy(start)))
}

/// The space in front of `#` matters: `down#why` is a word that HAProxy does not know.
fn comment(text: &str) -> String {
    match reason_phrase(text) {
        Some(text) => format!("down #{text}"),
        None => "down".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<(Option<&'static str>, String, Option<u16>), String> {
        let line = named(line.as_bytes())?;
        let (check, _) = line.check().map_err(|e| e.to_string())?;
        Ok((
            check.protocol.map(|p| p.name),
            check.service.to_string(),
            check.port,
        ))
    }

    #[test]
    fn lines_name_a_service_an_instance_or_a_check() {
        for (line, expected) in [
            ("", (None, "all", None)),
            ("web\r", (None, "web", None)),
            ("web:8080", (None, "web", Some(8080))),
            ("web:10.0.0.7:8080", (None, "web", Some(8080))),
            (
                "http/web/8080/health?x=1",
                (Some("http"), "web", Some(8080)),
            ),
            ("/tcp/db/5432", (Some("tcp"), "db", Some(5432))),
            ("spool/web/80", (None, "web", Some(80))),
        ] {
            let (protocol, service, port) = asked(line).unwrap();
            assert_eq!((protocol, service.as_str(), port), expected, "{line:?}");
        }
        for bad in [
            "a b:x",
            "http/web",
            "../x",
            "status/",
            "web:70000",
            "nope/web/80/",
        ] {
            assert!(asked(bad).is_err(), "{bad:?}: {:?}", asked(bad));
        }
        assert!(named(&[b'x'; 2000]).is_err());
        assert!(named(b"\xff").is_err());
    }

    #[test]
    fn a_reason_is_a_comment_of_one_line() {
        let mut downtime = Downtime {
            reason: "new\nkernel".into(),
            ..Downtime::default()
        };
        assert_eq!(down(&downtime), "down #new kernel");
        downtime.extra.insert("by".into(), "alice".into());
        assert_eq!(down(&downtime), "down #alice: new kernel");
        assert_eq!(down(&Downtime::default()), "down");
    }
}
