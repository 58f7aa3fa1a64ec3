//! What is checked, as its pollers and the changes of its state are told apart by it.

use std::fmt;

use crate::net::Host;

/// Longest part of a path that is remembered, in characters: a made-up one must not be kept whole.
const SEGMENT_MAX: usize = 300;

/// By which face of the daemon a poll comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Face {
    /// A path of the HTTP listener.
    Http,
    /// HAProxy's agent-check.
    Agent,
    /// A group's own listener.
    GroupListener,
    /// gRPC's health protocol.
    GrpcHealth,
}

impl Face {
    /// What stands in front of the check, where it does not come by HTTP.
    fn prefix(self) -> &'static str {
        match self {
            Self::Http => "",
            Self::Agent => "agent ",
            Self::GroupListener => "listener ",
            Self::GrpcHealth => "grpc-health ",
        }
    }
}

/// What is checked, and by which face; shown as `http 127.0.0.1:8080` or `agent spool 127.0.0.1:80`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AskedCheck {
    face: Face,
    protocol: &'static str,
    segment: Option<Box<str>>,
    variant: Option<Box<str>>,
    /// Host and port; `None` when they are refused.
    pub place: Option<(Host, u16)>,
}

/// What stands for the protocol where only the spool is asked.
const SPOOL: &str = "spool";

impl AskedCheck {
    /// Puts the parts together. Without a protocol the spool alone is asked; the segment is the path's part that decides
    /// what is checked, where there is one; the variant is what else of the request decides the result, and is not shown.
    #[must_use]
    pub fn new(
        face: Face,
        protocol: Option<&'static str>,
        segment: Option<&str>,
        variant: Option<&str>,
        place: Option<(Host, u16)>,
    ) -> Self {
        Self {
            face,
            protocol: protocol.unwrap_or(SPOOL),
            segment: segment.map(cut),
            variant: variant.map(cut),
            place,
        }
    }

    /// The protocol, or `spool`.
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        self.protocol
    }

    /// What tells it from checks that look the same: a path, or options; mostly nothing.
    #[must_use]
    pub fn variant(&self) -> &str {
        self.variant.as_deref().unwrap_or_default()
    }

    /// Whether an agent is asked.
    #[must_use]
    pub(crate) fn is_agent(&self) -> bool {
        self.face == Face::Agent
    }

    /// Whether the spool alone is asked.
    #[must_use]
    pub(crate) fn is_spool(&self) -> bool {
        self.protocol == SPOOL
    }
}

fn cut(segment: &str) -> Box<str> {
    // By characters, as bytes could end within one.
    match segment.char_indices().nth(SEGMENT_MAX) {
        Some((end, _)) => segment[..end].into(),
        None => segment.into(),
    }
}

impl fmt::Display for AskedCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.face.prefix())?;
        f.write_str(self.protocol)?;
        if let Some(segment) = &self.segment {
            write!(f, " {segment}")?;
        }

        if let Some((host, port)) = &self.place {
            write!(f, " {host}:{port}")?;
        }

        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_by_its_parts_and_told_apart_by_each() {
        let place = || Some((Host::Local, 80));
        let all = [
            (
                AskedCheck::new(Face::Http, Some("http"), None, None, place()),
                "http 127.0.0.1:80",
            ),
            (
                AskedCheck::new(Face::Agent, Some("http"), None, None, place()),
                "agent http 127.0.0.1:80",
            ),
            (
                AskedCheck::new(Face::Http, Some("exec"), Some("disk"), None, place()),
                "exec disk 127.0.0.1:80",
            ),
            (
                AskedCheck::new(
                    Face::Http,
                    Some("http"),
                    None,
                    None,
                    Some((Host::Name("db".into()), 80)),
                ),
                "http db:80",
            ),
            (
                AskedCheck::new(
                    Face::Http,
                    Some("http"),
                    None,
                    None,
                    Some((Host::Local, 81)),
                ),
                "http 127.0.0.1:81",
            ),
            (
                AskedCheck::new(Face::Http, Some("http"), None, None, None),
                "http",
            ),
        ];
        for (i, (a, text)) in all.iter().enumerate() {
            assert_eq!(a.to_string(), *text);
            for (j, (b, _)) in all.iter().enumerate() {
                assert_eq!(a == b, i == j, "{a} and {b}");
            }
        }
    }

    #[test]
    fn two_paths_of_one_instance_look_the_same_and_are_told_apart() {
        let of = |path| AskedCheck::new(Face::Http, Some("http"), None, Some(path), None);
        assert_eq!(of("/a").to_string(), of("/b").to_string());
        assert_ne!(of("/a"), of("/b"));
    }

    #[test]
    fn a_long_segment_is_cut() {
        let long = AskedCheck::new(
            Face::Http,
            Some("exec"),
            Some(&"é".repeat(1000)),
            None,
            None,
        );
        assert_eq!(
            long.to_string().chars().count(),
            "exec ".len() + SEGMENT_MAX
        );
    }
}
