//! What the headers of a poll say. Pure. Mostly that is `X-Haproxy-Server-State`, which HAProxy's `http-check send-state`
//! adds to each poll (HAProxy manual, "http-check send-state"):
//! `UP 1/2; address=10.0.0.7; port=8080; name=web/s1; node=lb1; weight=1/2; scur=13/22; qcur=0`.
//!
//! Rule: of repeated parts the last one counts, and a part with two equals signs none. What does not parse is not said.

use hyper::header::HeaderMap;

use crate::ledger::{Stated, USER_AGENT_MAX, View};

/// Longest name that is kept, in characters.
const NAME_MAX: usize = 128;

/// Longest view in words, in bytes: numbers may have any zeros in front.
const WORDS_MAX: usize = 64;

/// How the tools of people call themselves. A look with one of them is no poll that anybody would have to wait for.
const BY_HAND: [&[u8]; 4] = [b"curl/", b"Wget/", b"HTTPie/", b"Mozilla/"];

/// What the headers say.
#[derive(Debug, Default)]
pub(crate) struct Said<'a> {
    /// The host to check: the server's own address, or what nerve names; `None` is this host.
    pub host: Option<&'a str>,
    /// The server's own port; empty for a unix socket, 0 for none.
    pub port: Option<&'a str>,
    /// The balancer's node name.
    pub node: Option<Box<str>>,
    /// Its backend and server.
    pub server: Option<Box<str>>,
    /// The beginning of its `User-Agent`.
    pub user_agent: Option<Box<str>>,
    /// What it says of itself.
    pub stated: Stated,
    /// Neither a stored result nor a probe under way will do: `Pragma: no-cache` (RFC 9111 section 5.4), in any case.
    pub fresh: bool,
}

impl<'a> Said<'a> {
    /// Reads the headers; without them nothing is said.
    pub(crate) fn read(headers: &'a HeaderMap) -> Self {
        let mut said = Self::default();
        let mut nerve = None;
        // One pass: most requests have none of these, and a look-up of each would cost more.
        for (name, value) in headers {
            let bytes = value.as_bytes();
            match name.as_str() {
                "x-haproxy-server-state" => said.server_state(bytes),
                // What is no text becomes `?`, which is refused: to leave it out would check another host.
                "x-nerve-check-ip" => nerve = nerve.or(Some(value.to_str().unwrap_or("?").trim())),
                "pragma" => said.fresh |= bytes.trim_ascii().eq_ignore_ascii_case(b"no-cache"),
                "user-agent" => said.user_agent(bytes),
                _ => {}
            }
        }

        said.host = host(said.host, nerve);
        said
    }

    /// Leaves what is checked to the path.
    pub(crate) fn forget_place(&mut self) {
        self.host = None;
        self.port = None;
    }

    fn server_state(&mut self, value: &'a [u8]) {
        for part in value.split(|b| *b == b';') {
            // A server's name may be in any encoding; that must not hide its address.
            if let Ok(part) = str::from_utf8(part) {
                self.state_part(part);
            }
        }
    }

    fn state_part(&mut self, part: &'a str) {
        match part.split_once('=') {
            Some((_, value)) if value.contains('=') => {}
            Some((name, value)) => self.part(name.trim(), value.trim()),
            None => self.view(part),
        }
    }

    fn user_agent(&mut self, value: &[u8]) {
        self.stated.by_hand |= is_by_hand(value);
        let beginning = &value[..value.len().min(USER_AGENT_MAX)];
        // A character that is cut in two becomes U+FFFD, the same with each poll.
        self.user_agent = kept(&String::from_utf8_lossy(beginning));
    }

    fn view(&mut self, words: &str) {
        if words.len() > WORDS_MAX {
            return;
        }

        if let Some(view) = view(words) {
            self.stated.view = Some(view);
            self.stated.words = Some(words.trim().into());
        }
    }

    fn part(&mut self, name: &str, value: &'a str) {
        match name {
            "address" => self.host = Some(value),
            "port" => self.port = Some(value),
            "name" => self.server = kept(value),
            "node" => self.node = kept(value),
            "weight" => self.stated.weight = pair(value),
            "scur" => self.stated.sessions = pair(value),
            _ => {}
        }
    }
}

/// The host to check: the server's own address before the one that nerve names.
fn host<'a>(server: Option<&'a str>, nerve: Option<&'a str>) -> Option<&'a str> {
    // A server behind a unix socket has no address: it can only be on this host.
    let server = server.filter(|host| *host != "unix");
    server.or(nerve).filter(|host| !host.is_empty())
}

fn is_by_hand(user_agent: &[u8]) -> bool {
    BY_HAND.iter().any(|tool| user_agent.starts_with(tool))
}

/// A name as far as it is kept; an empty one is none.
fn kept(name: &str) -> Option<Box<str>> {
    let kept: String = name.chars().take(NAME_MAX).collect();
    (!kept.is_empty()).then(|| kept.into_boxed_str())
}

/// The view in words such as `UP`, `DOWN 1/2`, `NOLB`.
fn view(words: &str) -> Option<View> {
    match first_word(words.trim())? {
        "UP" => Some(View::Up),
        "DOWN" => Some(View::Down),
        "NOLB" => Some(View::NoLb),
        _ => None,
    }
}

/// The word of `UP` and of `UP 1/3`.
fn first_word(words: &str) -> Option<&str> {
    let Some((word, counts)) = words.split_once(' ') else {
        return Some(words);
    };

    // The counts must be counts, or it is something else.
    pair(counts).map(|_| word)
}

fn pair(text: &str) -> Option<[u32; 2]> {
    let (own, all) = text.split_once('/')?;
    Some([count(own)?, count(all)?])
}

fn count(text: &str) -> Option<u32> {
    text.trim().parse().ok()
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
        let said = Said::read(&headers);
        assert_eq!((said.host, said.port), (Some("127.0.0.1"), Some("48081")));
        let names = (said.node.as_deref(), said.server.as_deref());
        assert_eq!(names, (Some("mynode"), Some("web/s1")));
        let expected = Stated {
            view: Some(View::Up),
            words: Some("UP 1/2".into()),
            sessions: Some([3, 7]),
            weight: Some([1, 51]),
            ..Stated::default()
        };
        assert_eq!(said.stated, expected);
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
            assert_eq!(Said::read(&headers(value)).stated.view, view, "{value:?}");
        }
        let odd = headers("UP; weight=1; scur=-1/2; node=; name=a=b");
        let odd = Said::read(&odd);
        assert_eq!((odd.stated.weight, odd.stated.sessions), (None, None));
        assert_eq!((odd.node, odd.server), (None, None));
    }

    #[test]
    fn a_user_agent_is_cut_to_64_bytes() {
        for (value, kept) in [
            ("Envoy/HC".to_owned(), Some("Envoy/HC".to_owned())),
            (String::new(), None),
            ("x".repeat(5000), Some("x".repeat(64))),
        ] {
            let header = ("user-agent".parse().unwrap(), value.parse().unwrap());
            let headers: HeaderMap = [header].into_iter().collect();
            assert_eq!(Said::read(&headers).user_agent.as_deref(), kept.as_deref());
        }
    }

    #[test]
    fn names_are_cut_and_words_are_few() {
        let long = headers(&format!("UP; node={}", "x".repeat(5000)));
        assert_eq!(Said::read(&long).node.map(|n| n.len()), Some(128));
        let padded = headers(&format!("UP {}1/2", "0".repeat(5000)));
        assert_eq!(Said::read(&padded).stated, Stated::default());
    }
}
