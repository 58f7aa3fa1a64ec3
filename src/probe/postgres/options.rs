//! The options of a check: `?role=`, `?max_lag=`, and the database to log in to, `?dbname=`.

use crate::probe::QueryError;
use crate::probe::options::{self, Role};

const OPTIONS: &[&str] = &["role", "max_lag", "dbname"];

/// Longest name of a database, in bytes (NAMEDATALEN - 1).
const NAME_MAX: usize = 63;

/// The options of one check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PostgresOptions {
    /// A replica is in recovery, a primary is not.
    pub role: Option<Role>,
    /// Most seconds that a replica may be behind. A primary is behind nobody.
    pub max_lag: Option<u64>,
    /// The database to log in to; the one of the settings when unset.
    pub database: Option<String>,
}

impl PostgresOptions {
    /// Reads a query string.
    pub(super) fn parse(query: &str) -> Result<Self, QueryError> {
        let mut given = Self::default();
        for (name, value) in options::read(query, OPTIONS)? {
            match name {
                "role" => given.role = Some(Role::parse(&value)?),
                "max_lag" => given.max_lag = Some(options::max_lag(&value)?),
                // `options::read` gives no names but those in OPTIONS.
                _ => given.database = Some(database(value)?),
            }
        }

        Ok(given)
    }

    /// Whether they ask for what only a login can tell.
    pub(super) fn need_login(&self) -> bool {
        self.role.is_some() || self.max_lag.is_some()
    }

    /// A text that is the same for queries that mean the same.
    pub(super) fn canonical(query: &str) -> Result<String, QueryError> {
        let options = Self::parse(query)?;
        Ok(options::canonical(&options))
    }
}

fn database(name: String) -> Result<String, QueryError> {
    // Servers cut longer names silently, so another database would be checked.
    if name.len() > NAME_MAX {
        return Err(QueryError::TooLong("dbname", NAME_MAX));
    }

    // Above all a zero byte, which would end the name in the startup message.
    if name.contains(char::is_control) {
        return Err(QueryError::ControlCharacter("dbname"));
    }

    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_mean_the_same_have_the_same_text() {
        assert_eq!(
            PostgresOptions::canonical("role=primary&dbname=a+b"),
            PostgresOptions::canonical("dbname=a%20b&role=primary")
        );
        assert_ne!(
            PostgresOptions::canonical("dbname=a"),
            PostgresOptions::canonical("dbname=b")
        );
        assert_eq!(PostgresOptions::canonical("").unwrap(), "");
    }

    #[test]
    fn options_that_cannot_be_are_named() {
        for (query, sentence) in [
            (
                "rol=primary",
                "unknown option 'rol'; there are role, max_lag, dbname",
            ),
            (
                "deep=1",
                "unknown option 'deep'; there are role, max_lag, dbname",
            ),
            (
                "max_lag=soon",
                "max_lag is a number of whole seconds, not 'soon'",
            ),
            ("dbname=a%00b", "dbname has a control character"),
            (
                &format!("dbname={}", "x".repeat(64)),
                "dbname is longer than 63 bytes",
            ),
            (
                "dbname=",
                "option dbname has no value; leave it out or give one",
            ),
        ] {
            assert_eq!(
                PostgresOptions::parse(query).unwrap_err().to_string(),
                sentence
            );
        }
    }
}
