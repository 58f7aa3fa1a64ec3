//! Options in the query string of a check, e.g. `?role=replica&max_lag=30`.
//!
//! Rule: an option that is empty, given twice, or nearly one of ours is refused, so that a typing error cannot make a
//! check weaker. What has nothing to do with ours is ignored, as the originals ignored every query, unless ours stand
//! beside it.

use std::fmt;

use crate::names::nearest::nearest;

/// The names of a protocol's options.
pub(super) type OptionNames = &'static [&'static str];

/// Reads the options that a query gives, in their order.
pub(super) fn read(
    query: &str,
    known: OptionNames,
) -> Result<Vec<(&'static str, String)>, QueryError> {
    let mut options = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match find(&name, known) {
            Some(name) => add(&mut options, name, &value)?,
            None => expect_foreign(&name, query, known)?,
        }
    }
    Ok(options)
}

/// Refuses a name that was meant to be one of ours.
fn expect_foreign(name: &str, query: &str, known: OptionNames) -> Result<(), QueryError> {
    // Where ours stand, others are taken for errors too: who writes options means all of them.
    if !is_typing_error(name, known) && !gives_any(query, known) {
        return Ok(());
    }
    Err(QueryError::Unknown {
        name: name.to_owned(),
        known,
    })
}

fn find(name: &str, known: OptionNames) -> Option<&'static str> {
    known.iter().copied().find(|k| *k == name)
}

fn is_typing_error(name: &str, known: OptionNames) -> bool {
    nearest(name, known.iter().copied()).is_some()
}

fn gives_any(query: &str, known: OptionNames) -> bool {
    let mut given = form_urlencoded::parse(query.as_bytes());
    given.any(|(name, _)| find(&name, known).is_some())
}

fn add(
    options: &mut Vec<(&'static str, String)>,
    name: &'static str,
    value: &str,
) -> Result<(), QueryError> {
    if options.iter().any(|(given, _)| *given == name) {
        return Err(QueryError::Twice(name));
    }
    if value.is_empty() {
        return Err(QueryError::Empty(name));
    }
    options.push((name, value.to_owned()));
    Ok(())
}

/// A text that is the same for options that mean the same; empty when none is given.
pub(super) fn canonical<T: fmt::Debug + Default + PartialEq>(options: &T) -> String {
    // A query without options of ours shares the cached result of a check without a query.
    if *options == T::default() {
        String::new()
    } else {
        format!("{options:?}")
    }
}

/// What a database is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
}

impl Role {
    pub(super) fn parse(text: &str) -> Result<Self, QueryError> {
        match text {
            "primary" => Ok(Self::Primary),
            "replica" => Ok(Self::Replica),
            _ => Err(QueryError::value("role", "primary or replica", text)),
        }
    }
}

/// Why the options of a check are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QueryError {
    /// The protocol has no such option.
    Unknown {
        /// What was given.
        name: String,
        /// Those that the protocol has.
        known: OptionNames,
    },
    /// An option is given twice.
    Twice(&'static str),
    /// An option has no value.
    Empty(&'static str),
    /// An option has a value that it cannot have.
    Value {
        /// The option.
        name: &'static str,
        /// What it can be.
        expected: &'static str,
        /// What it is.
        value: String,
    },
    /// The value of an option is longer than this many bytes.
    TooLong(&'static str, usize),
    /// The value of an option has a control character.
    ControlCharacter(&'static str),
    /// Two options cannot stand together; why.
    Contradiction(&'static str),
}

impl QueryError {
    pub(super) fn value(name: &'static str, expected: &'static str, value: &str) -> Self {
        Self::Value {
            name,
            expected,
            value: value.to_owned(),
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name, known } => {
                let name = name.escape_debug();
                let known = known.join(", ");
                write!(f, "unknown option '{name}'; there are {known}")
            }
            Self::Twice(name) => write!(f, "option {name} is given twice"),
            Self::Empty(name) => {
                write!(f, "option {name} has no value; leave it out or give one")
            }
            Self::Value {
                name,
                expected,
                value,
            } => write!(f, "{name} is {expected}, not '{}'", value.escape_debug()),
            Self::TooLong(name, max) => write!(f, "{name} is longer than {max} bytes"),
            Self::ControlCharacter(name) => write!(f, "{name} has a control character"),
            Self::Contradiction(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for QueryError {}
