//! Options in the query string of a check, e.g. `?role=replica&max_lag=30`.
//!
//! Rule: an option that is empty, given twice, or nearly one of ours is refused, so that a typing error cannot make a
//! check weaker. What has nothing to do with ours is ignored, as the originals ignored every query, unless ours stand
//! beside it.

use std::borrow::Cow;

use crate::names::nearest::nearest;

/// What a database is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Replica,
}

impl Role {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "primary" => Ok(Self::Primary),
            "replica" => Ok(Self::Replica),
            _ => Err(format!(
                "role is primary or replica, not '{}'",
                text.escape_debug()
            )),
        }
    }
}

/// Hands each option to `take`, which says whether it knows the name.
///
/// # Errors
/// A sentence about the first option that cannot be, or that of `take`.
pub(super) fn read<'a>(
    query: &'a str,
    known: &[&'static str],
    mut take: impl FnMut(&'static str, Cow<'a, str>) -> Result<(), String>,
) -> Result<(), String> {
    let mut seen = Vec::new();
    let ours = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| known.contains(&&*name));
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(name) = known.iter().copied().find(|k| *k == name) else {
            if !ours && nearest(&name, known.iter().copied()).is_none() {
                continue;
            }
            return Err(format!(
                "unknown option '{}'; there are {}",
                name.escape_debug(),
                known.join(", ")
            ));
        };
        if seen.contains(&name) {
            return Err(format!("option {name} is given twice"));
        }
        if value.is_empty() {
            return Err(format!(
                "option {name} has no value; leave it out or give one"
            ));
        }
        seen.push(name);
        take(name, value)?;
    }
    Ok(())
}
