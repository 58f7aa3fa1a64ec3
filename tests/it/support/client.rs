//! Requests over raw sockets, so that nothing between test and daemon tidies them up.

use super::PATIENCE;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// An answer, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    pub status: u16,
    pub phrase: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    /// Parses an answer whose end is the end of the connection.
    pub fn parse(raw: &[u8]) -> Self {
        let (head, body) = split_head(raw)
            .unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(raw)));
        let body = String::from_utf8_lossy(body).into_owned();
        Self {
            body,
            ..Self::parse_head(head)
        }
    }

    pub fn parse_head(head: &str) -> Self {
        let mut lines = head.split("\r\n");
        let mut status = lines.next().unwrap().splitn(3, ' ');
        let version = status.next().unwrap();
        assert!(
            matches!(version, "HTTP/1.1" | "HTTP/1.0"),
            "not an answer: {head:?}"
        );
        let code = status
            .next()
            .and_then(|s| s.parse().ok())
            .unwrap_or_else(|| panic!("no status: {head:?}"));
        let headers = lines
            .filter_map(|l| l.split_once(": "))
            .map(|(n, v)| (n.to_ascii_lowercase(), v.to_owned()));
        Self {
            status: code,
            phrase: status.next().unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body: String::new(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Checks status and body.
    #[track_caller]
    pub fn is(&self, status: u16, body: &str) {
        assert_eq!(
            (self.status, self.body.as_str()),
            (status, body),
            "{self:?}"
        );
    }

    /// Checks the status, and that the body holds a text.
    #[track_caller]
    pub fn says(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(
            self.body.contains(text),
            "expected in the body: {text:?}\ngot: {self:?}"
        );
    }
}

/// Head and rest of an HTTP message, if the head is complete.
pub fn split_head(raw: &[u8]) -> Option<(&str, &[u8])> {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n")?;
    Some((
        std::str::from_utf8(&raw[..end]).expect("a head is text"),
        &raw[end + 4..],
    ))
}

/// A connection that gives up after [`PATIENCE`].
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream =
        TcpStream::connect_timeout(&address, PATIENCE).unwrap_or_else(|e| panic!("{address}: {e}"));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a request and leaves the answer to be read.
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> TcpStream {
    let mut text = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
        text.push_str("Host: check.test\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut stream = connect(address);
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    stream
}

/// The answer, read to the end of the connection.
pub fn answer(stream: &mut impl Read) -> Response {
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).unwrap();
    Response::parse(&raw)
}

/// One request and its answer.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Response {
    answer(&mut send(address, method, path, headers))
}

/// A connection for many requests.
pub struct Kept(pub TcpStream);

impl Kept {
    pub fn to(address: SocketAddr) -> Self {
        Self(connect(address))
    }

    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Response {
        self.request("GET", path, headers)
    }

    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        self.send(method, path, headers);
        self.answer(method)
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        self.0
            .write_all(format!("{method} {path} HTTP/1.1\r\n{headers}\r\n").as_bytes())
            .unwrap();
    }

    /// The answer to a request by this method.
    pub fn answer(&mut self, method: &str) -> Response {
        let mut raw = Vec::new();
        loop {
            if let Some((head, body)) = split_head(&raw) {
                let answer = Response::parse_head(head);
                let length: usize = answer
                    .header("content-length")
                    .map_or(0, |l| l.parse().unwrap());
                if body.len() >= length || method == "HEAD" {
                    return Response {
                        body: String::from_utf8(body.to_vec()).expect("a body of text"),
                        ..answer
                    };
                }
            }
            let mut part = [0; 4096];
            match self.0.read(&mut part).unwrap() {
                0 => panic!("the connection ended"),
                n => raw.extend_from_slice(&part[..n]),
            }
        }
    }
}

/// Bytes as they are, and whatever comes back until the connection ends or is reset.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(address);
    // The server may close before it has read everything.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut raw = Vec::new();
    match stream.read_to_end(&mut raw) {
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
            ) =>
        {
            panic!(
                "no end of the connection after {:?}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(300)])
            )
        }
        _ => raw,
    }
}

/// Whether nothing has come on a connection, which is still open.
pub fn is_silent(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    matches!(peeked, Err(e) if e.kind() == io::ErrorKind::WouldBlock)
}
