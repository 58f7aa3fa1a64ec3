//! Options in the query string of a check, e.g. `?role=replica&max_lag=30`.
//!
//! Rule: an option that is empty, given twice, or unknown is refused, so that a typing error cannot make a check weaker.
//! Protocols of the replaced tools ([`read_leniently`]) ignore what has nothing to do with ours, as those tools ignored
//! every query, unless ours stand beside it.

use std::fmt;

use crate::names::nearest::nearest;

/// The names of a protocol's options.
pub(super) type OptionNames = &'static [&'static str];

/// The options that a query gives, in their order.
type QueryPairs = Vec<(&'static str, String)>;

/// Reads the options that a query gives; an unknown one is an error.
pub(super) fn read(query: &str, known: OptionNames) -> Result<QueryPairs, QueryError> {
    let mut options = QueryPairs::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(name) = find(&name, known) else {
            let name = name.into_owned();
            return Err(QueryError::Unknown { name, known });
        };
        add(&mut options, name, &value)?;
    }

    Ok(options)
}

/// Refuses every option, for protocols that have none.
pub(super) fn none(query: &str) -> Result<String, QueryError> {
    read(query, &[])?;
    Ok(String::new())
}

/// [`read`], but a query in which nothing looks like one of these options has none.
pub(super) fn read_leniently(query: &str, known: OptionNames) -> Result<QueryPairs, QueryError> {
    // Where ours stand, others are taken for errors too: who writes options means all of them.
    if gives_any(query, known) {
        read(query, known)
    } else {
        Ok(QueryPairs::new())
    }
}

fn find(name: &str, known: OptionNames) -> Option<&'static str> {
    known.iter().copied().find(|k| *k == name)
}

fn is_typing_error(name: &str, known: OptionNames) -> bool {
    nearest(name, known.iter().copied()).is_some()
}

fn gives_any(query: &str, known: OptionNames) -> bool {
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    names.any(|name| find(&name, known).is_some() || is_typing_error(&name, known))
}

fn add(options: &mut QueryPairs, name: &'static str, value: &str) -> Result<(), QueryError> {
    if options.iter().any(|(given, _)| *given == name) {
        return Err(QueryError::Twice(name));
    }

    // Mostly a variable of a template that was not set.
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
        return String::new();
    }

    // Only compared with itself, so the form does not matter, as long as all fields are in it.
    format!("{options:?}")
}

/// The value of an option that is a whole number, such as `30` seconds.
pub(super) fn number(
    name: &'static str,
    expected: &'static str,
    text: &str,
) -> Result<u64, QueryError> {
    // `parse` alone takes a plus sign too.
    let is_digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_digits => Ok(number),
        _ => Err(QueryError::value(name, expected, text)),
    }
}

/// The value of `max_lag`.
pub(super) fn max_lag(text: &str) -> Result<u64, QueryError> {
    number("max_lag", "a number of whole seconds", text)
}

/// What a database is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        })
    }
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
            Self::Unknown { name, known } => unknown(f, name, known),
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

fn unknown(f: &mut fmt::Formatter<'_>, name: &str, known: OptionNames) -> fmt::Result {
    let name = name.escape_debug();
    match known {
        [] => write!(f, "unknown option '{name}'; there are none"),
        known => write!(f, "unknown option '{name}'; there are {}", known.join(", ")),
    }
}

impl std::error::Error for QueryError {}
