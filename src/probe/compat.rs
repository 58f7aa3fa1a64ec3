//! Whose manner probes keep where the replaced tools differ from each other.

use crate::settings::{Kind, Reader};

/// The tool whose manner is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compat {
    /// Yelp hacheck: an answer is what the upstream says at once.
    Yelp,
    /// Uber hacheck: redirects are followed; what a balancer says of the server's place does not count.
    Uber,
    /// byrondover's heartbeat, as Python's `requests` asks. No configuration can say this.
    Heartbeat,
}

impl Compat {
    /// How many redirects are followed. At the one after, its answer is the upstream's.
    pub(super) fn redirects(self) -> usize {
        match self {
            Self::Yelp => 0,
            // What tornado's client and Python's `requests` follow unless told otherwise.
            Self::Uber => 5,
            Self::Heartbeat => 30,
        }
    }

    /// Whether a poller's headers may name another place to check than this host and the port of the path.
    #[must_use]
    pub(crate) fn lets_headers_name_places(self) -> bool {
        self != Self::Uber
    }

    fn read(reader: &Reader<'_>) -> Option<Self> {
        reader.parsed("is no such tool", "write yelp or uber", |text| {
            match text.trim().to_ascii_lowercase().as_str() {
                "yelp" => Some(Self::Yelp),
                "uber" => Some(Self::Uber),
                _ => None,
            }
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::Yelp => "yelp",
            Self::Uber => "uber",
            Self::Heartbeat => "heartbeat",
        }
    }
}

pub(super) fn compat() -> Kind<Compat> {
    let show = |compat: &Compat| compat.word().into();
    Kind::new("`yelp` or `uber`", Compat::read, show)
}
