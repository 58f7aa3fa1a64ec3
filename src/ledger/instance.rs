//! What is checked, as its pollers and the changes of its state are told apart by it.

use std::fmt;

use crate::net::Host;

/// Longest part of a path that is remembered, in characters: a made-up one must not be kept whole.
const SEGMENT_MAX: usize = 300;

/// What is checked, and how; shown as `http 127.0.0.1:8080` or `agent spool 127.0.0.1:80`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Instance {
    kind: &'static str,
    protocol: &'static str,
    segment: Option<Box<str>>,
    /// Host and port; `None` when they are refused.
    pub place: Option<(Host, u16)>,
}

impl Instance {
    /// Puts the parts together. The kind of asking stands in front, such as `agent `; the segment is the path's part
    /// that decides what is checked, where there is one.
    #[must_use]
    pub fn new(
        kind: &'static str,
        protocol: &'static str,
        segment: Option<&str>,
        place: Option<(Host, u16)>,
    ) -> Self {
        let segment = segment.map(|text| match text.char_indices().nth(SEGMENT_MAX) {
            Some((end, _)) => text[..end].into(),
            None => text.into(),
        });
        Self {
            kind,
            protocol,
            segment,
            place,
        }
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind)?;
        f.write_str(self.protocol)?;
        if let Some(segment) = &self.segment {
            write!(f, " {segment}")?;
        }
        match &self.place {
            Some((host, port)) => write!(f, " {host}:{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashed::Hashed;

    #[test]
    fn shown_by_its_parts_and_told_apart_by_each() {
        let place = || Some((Host::Local, 80));
        let all = [
            (
                Instance::new("", "http", None, place()),
                "http 127.0.0.1:80",
            ),
            (
                Instance::new("agent ", "http", None, place()),
                "agent http 127.0.0.1:80",
            ),
            (
                Instance::new("", "exec", Some("disk"), place()),
                "exec disk 127.0.0.1:80",
            ),
            (
                Instance::new("", "http", None, Some((Host::Name("db".into()), 80))),
                "http db:80",
            ),
            (
                Instance::new("", "http", None, Some((Host::Local, 81))),
                "http 127.0.0.1:81",
            ),
            (Instance::new("", "http", None, None), "http"),
        ];
        for (i, (a, text)) in all.iter().enumerate() {
            assert_eq!(a.to_string(), *text);
            for (j, (b, _)) in all.iter().enumerate() {
                assert_eq!(a == b, i == j, "{a} and {b}");
                let numbers = [a, b].map(|instance| Hashed::new(instance.clone()).number());
                assert_eq!(numbers[0] == numbers[1], i == j, "{a} and {b}");
            }
        }
    }

    #[test]
    fn a_long_segment_is_cut() {
        let long = Instance::new("", "exec", Some(&"é".repeat(1000)), None);
        assert_eq!(
            long.to_string().chars().count(),
            "exec ".len() + SEGMENT_MAX
        );
    }
}
