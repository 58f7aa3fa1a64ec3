//! What a check wants to know besides the login: `?role=`, `?max_lag=`, `?galera=`.

use crate::probe::QueryError;
use crate::probe::options::{self, Role};

const OPTIONS: &[&str] = &["role", "max_lag", "galera"];

/// The options of one check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Ask {
    /// A primary takes writes (`read_only` is off), a replica follows another server.
    pub role: Option<Role>,
    /// Most seconds that a running replica may be behind.
    pub max_lag: Option<u64>,
    /// The node takes part in its Galera cluster.
    pub galera: Option<Galera>,
}

/// Which states of a Galera node pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Galera {
    Synced,
    SyncedOrDonor,
}

impl Ask {
    /// Reads a query string.
    pub(super) fn parse(query: &str) -> Result<Self, QueryError> {
        let mut ask = Self::default();
        for (name, value) in options::read_leniently(query, OPTIONS)? {
            ask.set(name, &value)?;
        }

        // Only now, as options come in any order.
        ask.expect_no_contradiction()?;
        Ok(ask)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        match name {
            "role" => self.role = Some(Role::parse(value)?),
            "max_lag" => self.max_lag = Some(options::max_lag(value)?),
            // `options::read_leniently` gives no names but those in OPTIONS.
            _ => self.galera = Some(galera(value)?),
        }

        Ok(())
    }

    fn expect_no_contradiction(&self) -> Result<(), QueryError> {
        if self.role != Some(Role::Primary) || self.max_lag.is_none() {
            return Ok(());
        }

        Err(QueryError::Contradiction(
            "role=primary and max_lag contradict each other: a primary follows nobody",
        ))
    }

    /// A text that is the same for queries that mean the same.
    pub(super) fn canonical(query: &str) -> Result<String, QueryError> {
        let ask = Self::parse(query)?;
        Ok(options::canonical(&ask))
    }
}

fn galera(text: &str) -> Result<Galera, QueryError> {
    match text {
        "synced" => Ok(Galera::Synced),
        "synced,donor" | "donor,synced" => Ok(Galera::SyncedOrDonor),
        _ => Err(QueryError::value("galera", "synced or synced,donor", text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_mean_the_same_have_the_same_text() {
        let same = Ask::canonical("role=replica&max_lag=030").unwrap();
        assert_eq!(Ask::canonical("max_lag=30&role=%72eplica").unwrap(), same);
        assert_ne!(Ask::canonical("max_lag=31&role=replica").unwrap(), same);
        assert_eq!(
            Ask::canonical("galera=donor%2Csynced"),
            Ask::canonical("galera=synced,donor")
        );
        assert_eq!(Ask::canonical("").unwrap(), "");
    }

    #[test]
    fn options_that_cannot_be_are_named() {
        for (query, sentence) in [
            (
                "rolle=primary",
                "unknown option 'rolle'; there are role, max_lag, galera",
            ),
            ("role=master", "role is primary or replica, not 'master'"),
            ("role=primary&role=replica", "option role is given twice"),
            (
                "max_lag=",
                "option max_lag has no value; leave it out or give one",
            ),
            (
                "max_lag=-1",
                "max_lag is a number of whole seconds, not '-1'",
            ),
            (
                "max_lag=99999999999999999999",
                "max_lag is a number of whole seconds, not '99999999999999999999'",
            ),
            (
                "galera=donor",
                "galera is synced or synced,donor, not 'donor'",
            ),
            (
                "max_lag=3&role=primary",
                "role=primary and max_lag contradict each other: a primary follows nobody",
            ),
        ] {
            assert_eq!(Ask::parse(query).unwrap_err().to_string(), sentence);
        }
    }
}
