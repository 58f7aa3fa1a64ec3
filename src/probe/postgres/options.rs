//! What a check wants to know besides the login: `?role=`, and in which database: `?dbname=`.

use crate::probe::options::{self as common, Role};

/// Longest name of a database, in bytes (NAMEDATALEN - 1).
const NAME_MAX: usize = 63;

/// The options of one check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PostgresOptions {
    /// A replica is in recovery, a primary is not.
    pub role: Option<Role>,
    /// The database to log in to; the user's name unless told.
    pub database: Option<String>,
}

impl PostgresOptions {
    /// Reads a query string.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut options = Self::default();
        common::read(query, &["role", "dbname"], |name, value| {
            match name {
                "role" => options.role = Some(Role::parse(&value)?),
                _ if value.len() > NAME_MAX => {
                    return Err(format!("dbname is longer than {NAME_MAX} bytes"));
                }
                _ if value.contains(char::is_control) => {
                    return Err("dbname has a control character".into());
                }
                _ => options.database = Some(value.into_owned()),
            }
            Ok(())
        })?;
        Ok(options)
    }

    /// The same text for queries that mean the same.
    pub(super) fn canonical(query: &str) -> Result<String, String> {
        Self::parse(query).map(|options| {
            if options == Self::default() {
                String::new()
            } else {
                format!("{options:?}")
            }
        })
    }
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
                "unknown option 'rol'; there are role, dbname",
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
            assert_eq!(PostgresOptions::parse(query).unwrap_err(), sentence);
        }
    }
}
