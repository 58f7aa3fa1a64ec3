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

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::handler::{self, Decided};
use super::prepared::{Asker, Prepared};
use super::route::{self, Check, Route};
use super::state::State;
use crate::check::Verdict;
use crate::http::accept::{Accepted, Service};
use crate::http::phrase::reason_phrase;
use crate::os::cause::cause_text;
use crate::spool::{ALL, Downtime, Key};

/// How long a balancer may be silent before it is taken for one without `agent-send`.
const SILENCE: Duration = Duration::from_millis(100);

/// How long a line may take to arrive.
const LINE: Duration = Duration::from_secs(1);

/// Longest line, in bytes.
const LINE_MAX: usize = 1024;

/// How long the answer may take to be written.
const WRITE: Duration = Duration::from_secs(5);

/// Answers agents.
#[derive(Clone)]
pub struct Agents(pub Arc<State>);

impl Service<TcpStream> for Agents {
    fn admits(&self, peer: IpAddr) -> bool {
        handler::admits(&self.0, peer)
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
        let arrived = std::time::Instant::now();
        accepted.open.busy(arrived);
        let text = answer(&self.0, &line, from, arrived).await;
        let question = String::from_utf8_lossy(&line);
        log::debug!("agent-check from {from}: {question:?} is answered {text}");
        let sending = async {
            stream.write_all(format!("{text}\n").as_bytes()).await?;
            stream.shutdown().await
        };
        let _ = timeout(WRITE, sending).await;
    }
}

/// The answer to a line, without its end.
async fn answer(
    state: &Arc<State>,
    line: &[u8],
    from: IpAddr,
    arrived: std::time::Instant,
) -> String {
    let wanted = match Wanted::parse(line) {
        Ok(wanted) => wanted,
        Err(why) => {
            log::warn!("agent-check from {from}: {why}");
            return format!("error #{}", reason_phrase(&why).unwrap_or_default());
        }
    };
    let check = wanted.check();
    let asker = Asker {
        uri: &wanted.uri,
        headers: &wanted.headers,
        from,
        kind: "agent ",
    };
    let live = state.live();
    let prepared = Prepared::new(&check, &asker, &*state.own, &live);
    let decided = handler::decide(state, &live, &prepared, arrived).await;
    let text = said(&decided, state.live().config.daemon.agent_weights);
    decided.note(state, 0, text.starts_with("up"));
    text
}

/// The line, without its end; empty when nothing came.
async fn line(stream: &mut TcpStream) -> Result<Vec<u8>, String> {
    let mut line = Vec::new();
    let mut part = [0; 256];
    let end = Instant::now() + LINE;
    let mut until = Instant::now() + SILENCE;
    loop {
        match timeout_at(until, stream.read(&mut part)).await {
            Err(_) if line.is_empty() => return Ok(line),
            Err(_) => return Err("the line did not come in time".into()),
            Ok(Err(e)) => return Err(cause_text(e)),
            Ok(Ok(0)) => return Ok(line),
            Ok(Ok(n)) => line.extend_from_slice(&part[..n]),
        }
        until = end;
        if let Some(end) = line.iter().position(|b| *b == b'\n') {
            line.truncate(end);
            return Ok(line);
        }
        if line.len() > LINE_MAX {
            // Answered as what it is: no name.
            return Ok(line);
        }
    }
}

/// What an agent asks for.
#[derive(Debug)]
struct Wanted {
    /// The check's path, as over HTTP; `/` where the spool alone is asked.
    uri: Uri,
    /// Names the host of an instance, as nerve does.
    headers: HeaderMap,
    /// The service or instance, where the spool alone is asked.
    key: Option<Key>,
}

impl Wanted {
    fn parse(line: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(line)
            .map_err(|_| "agent-send is not text".to_owned())?
            .trim();
        if text.len() > LINE_MAX {
            return Err(format!("agent-send is over {LINE_MAX} bytes"));
        }
        if text.contains('/') {
            let slash = if text.starts_with('/') { "" } else { "/" };
            let uri: Uri = format!("{slash}{text}")
                .parse()
                .map_err(|e| format!("agent-send {text:?}: {e}"))?;
            return match route::parse(&Method::GET, uri.path()) {
                Ok(Route::Check(_)) => Ok(Self {
                    uri,
                    headers: HeaderMap::new(),
                    key: None,
                }),
                _ => Err(format!(
                    "agent-send {text:?} is no check; write one such as http/web/8080/health"
                )),
            };
        }
        let name = if text.is_empty() { ALL } else { text };
        let key = Key::parse(name).map_err(|e| format!("agent-send {text:?}: {e}"))?;
        let host = key.host().and_then(|h| HeaderValue::from_str(h).ok());
        let headers = host
            .map(|h| (HeaderName::from_static("x-nerve-check-ip"), h))
            .into_iter()
            .collect();
        Ok(Self {
            uri: Uri::from_static("/"),
            headers,
            key: Some(key),
        })
    }

    fn check(&self) -> Check<'_> {
        match (&self.key, route::parse(&Method::GET, self.uri.path())) {
            (None, Ok(Route::Check(check))) => check,
            (key, _) => {
                let key = key
                    .clone()
                    .or_else(|| Key::parse(ALL).ok())
                    .expect("a key, or the constant 'all'");
                Check {
                    protocol: None,
                    service: key.service_name().clone(),
                    port: key.port(),
                    rest: "",
                }
            }
        }
    }
}

/// The answer's line, without its end.
fn said(decided: &Decided<'_>, weights: bool) -> String {
    match (&decided.verdict, &decided.draining) {
        (Verdict::Down(closed), _) => down(&closed.downtime),
        (Verdict::Refused(outcome), _) => failing(outcome.status.as_u16(), &outcome.body),
        (Verdict::Probed(outcome), _) if !outcome.passes() => {
            failing(outcome.status.as_u16(), &outcome.body)
        }
        (_, Some(_)) if weights => "up 0%".into(),
        _ if weights => "up 100%".into(),
        _ => "up".into(),
    }
}

/// `down #who: why`.
fn down(downtime: &Downtime) -> String {
    let who = downtime
        .by()
        .map(|by| format!("{by}: "))
        .unwrap_or_default();
    comment(&format!("{who}{}", downtime.reason))
}

fn failing(code: u16, body: &[u8]) -> String {
    comment(&format!(
        "{code} {}",
        String::from_utf8_lossy(&body[..body.len().min(400)])
    ))
}

/// The space in front of `#` matters: `down#why` is a word that HAProxy does not know.
fn comment(text: &str) -> String {
    reason_phrase(text).map_or("down".into(), |text| format!("down #{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<(Option<&'static str>, String, Option<u16>), String> {
        let wanted = Wanted::parse(line.as_bytes())?;
        let check = wanted.check();
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
        assert!(Wanted::parse(&[b'x'; 2000]).is_err());
        assert!(Wanted::parse(b"\xff").is_err());
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
