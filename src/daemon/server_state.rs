//! What the headers of a poll say: mostly `X-Haproxy-Server-State`, which HAProxy's `http-check send-state` adds to each poll (HAProxy manual, "http-check
//! send-state"): `UP 1/2; address=10.0.0.7; port=8080; name=web/s1; node=lb1; weight=1/2; scur=13/22; qcur=0`. Pure.
//!
//! Rule: of repeated parts the last one counts, and a part with two equals signs none. What does not parse is not said.

use hyper::header::HeaderMap;

use crate::ledger::{Stated, View};

/// Longest name that is kept, in characters.
const NAME_MAX: usize = 128;

/// Longest view in words, in bytes: numbers may have any zeros in front.
const WORDS_MAX: usize = 64;

/// How the tools of people call themselves. A look with one of them is no poll that anybody would have to wait for.
const BY_HAND: [&[u8]; 4] = [b"curl/", b"Wget/", b"HTTPie/", b"Mozilla/"];

/// The parts of the header.
#[derive(Debug, Default)]
pub struct ServerState<'a> {
    /// The host to check: the server's own address, or what nerve names; `None` is this host.
    pub host: Option<&'a str>,
    /// The server's own port; empty for a unix socket, 0 for none.
    pub port: Option<&'a str>,
    /// Backend and server.
    server: Option<&'a str>,
    node: Option<&'a str>,
    words: Option<&'a str>,
    weight: Option<[u32; 2]>,
    sessions: Option<[u32; 2]>,
    by_hand: bool,
    /// Neither a stored result nor a probe under way will do: `Pragma: no-cache` (RFC 9111 section 5.4), in any case.
    pub fresh: bool,
}

impl<'a> ServerState<'a> {
    /// Reads the headers; without them all parts are empty.
    pub fn parse(headers: &'a HeaderMap) -> Self {
        let mut state = Self::default();
        let mut nerve = None;
        // One pass: most requests have none of these, and a look-up of each would cost more.
        for (name, value) in headers {
            match name.as_str() {
                "x-haproxy-server-state" => state.read(value.as_bytes()),
                "x-nerve-check-ip" => nerve = nerve.or(Some(value.to_str().unwrap_or("?").trim())),
                "pragma" => {
                    state.fresh |= value
                        .as_bytes()
                        .trim_ascii()
                        .eq_ignore_ascii_case(b"no-cache");
                }
                "user-agent" => {
                    state.by_hand |= BY_HAND
                        .iter()
                        .any(|tool| value.as_bytes().starts_with(tool));
                }
                _ => {}
            }
        }
        // A server behind a unix socket has no address: it can only be on this host.
        state.host = state
            .host
            .filter(|a| *a != "unix")
            .or(nerve)
            .filter(|h| !h.is_empty());
        state
    }

    fn read(&mut self, value: &'a [u8]) {
        // A server's name may be in any encoding; that must not hide its address.
        for part in value
            .split(|b| *b == b';')
            .filter_map(|p| str::from_utf8(p).ok())
        {
            match part.split_once('=') {
                Some((_, value)) if value.contains('=') => {}
                Some((name, value)) => self.set(name.trim(), value.trim()),
                None if part.len() <= WORDS_MAX && view(part).is_some() => {
                    self.words = Some(part.trim());
                }
                None => {}
            }
        }
    }

    fn set(&mut self, name: &str, value: &'a str) {
        match name {
            "address" => self.host = Some(value),
            "port" => self.port = Some(value),
            "name" => self.server = Some(value),
            "node" => self.node = Some(value),
            "weight" => self.weight = pair(value),
            "scur" => self.sessions = pair(value),
            _ => {}
        }
    }

    /// The balancer's node name and its backend and server.
    pub fn names(&self) -> (Option<Box<str>>, Option<Box<str>>) {
        let kept = |name: &str| {
            name.chars()
                .take(NAME_MAX)
                .collect::<String>()
                .into_boxed_str()
        };
        (
            self.node.filter(|n| !n.is_empty()).map(kept),
            self.server.filter(|n| !n.is_empty()).map(kept),
        )
    }

    /// What the balancer says of itself.
    pub fn stated(&self) -> Stated {
        let view = self.words.and_then(view);
        let words = self.words.map(Into::into);
        Stated {
            view,
            words,
            sessions: self.sessions,
            weight: self.weight,
            by_hand: self.by_hand,
        }
    }
}

/// The view in words such as `UP`, `DOWN 1/2`, `NOLB`.
fn view(words: &str) -> Option<View> {
    let (word, counts) = words
        .trim()
        .split_once(' ')
        .map_or((words.trim(), None), |(w, c)| (w, Some(c)));
    if counts.is_some_and(|c| pair(c).is_none()) {
        return None;
    }
    match word {
        "UP" => Some(View::Up),
        "DOWN" => Some(View::Down),
        "NOLB" => Some(View::NoLb),
        _ => None,
    }
}

fn pair(text: &str) -> Option<[u32; 2]> {
    let (own, all) = text.split_once('/')?;
    Some([own.trim().parse().ok()?, all.trim().parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        [(
            "x-haproxy-server-state".parse().unwrap(),
            value.parse().unwrap(),
        )]
        .into_iter()
        .collect()
    }

    #[test]
    fn the_header_as_haproxy_2_6_sends_it() {
        let headers = headers(
            "UP 1/2; address=127.0.0.1; port=48081; name=web/s1; node=mynode; weight=1/51; scur=3/7; qcur=0",
        );
        let state = ServerState::parse(&headers);
        assert_eq!((state.host, state.port), (Some("127.0.0.1"), Some("48081")));
        assert_eq!(
            state.names(),
            (Some("mynode".into()), Some("web/s1".into()))
        );
        let expected = Stated {
            view: Some(View::Up),
            words: Some("UP 1/2".into()),
            sessions: Some([3, 7]),
            weight: Some([1, 51]),
            by_hand: false,
        };
        assert_eq!(state.stated(), expected);
    }

    #[test]
    fn what_does_not_parse_is_not_said() {
        for (value, view) in [
            ("DOWN", Some(View::Down)),
            ("DOWN 1/2; x", Some(View::Down)),
            ("NOLB 1/2", Some(View::NoLb)),
            ("up", None),
            ("UPPER", None),
            ("UP 1", None),
            ("UP a/b", None),
            ("", None),
            ("weight=1/1", None),
        ] {
            assert_eq!(
                ServerState::parse(&headers(value)).stated().view,
                view,
                "{value:?}"
            );
        }
        let odd = headers("UP; weight=1; scur=-1/2; node=; name=a=b");
        let odd = ServerState::parse(&odd);
        assert_eq!(
            (odd.stated().weight, odd.stated().sessions, odd.names()),
            (None, None, (None, None))
        );
    }

    #[test]
    fn names_are_cut_and_words_are_few() {
        let long = headers(&format!("UP; node={}", "x".repeat(5000)));
        assert_eq!(
            ServerState::parse(&long).names().0.map(|n| n.len()),
            Some(128)
        );
        let padded = headers(&format!("UP {}1/2", "0".repeat(5000)));
        assert_eq!(ServerState::parse(&padded).stated(), Stated::default());
    }
}
