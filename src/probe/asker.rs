//! For whom a check is run.

use std::net::IpAddr;

/// For whom a check is run: that decides which places it may take, and whose probe it may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asker {
    /// Any other address.
    Stranger(IpAddr),
    /// A poller that asks the same at a steady pace, as balancers do.
    Established(IpAddr),
    /// The configuration: a group's own check.
    Configuration,
}

/// The ranks of askers: who ranks higher never waits for a place behind one that ranks lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Any address.
    Stranger,
    /// An established poller.
    Established,
    /// The configuration.
    Configuration,
}

impl Asker {
    #[must_use]
    pub(crate) fn rank(self) -> Rank {
        match self {
            Self::Stranger(_) => Rank::Stranger,
            Self::Established(_) => Rank::Established,
            Self::Configuration => Rank::Configuration,
        }
    }
}
