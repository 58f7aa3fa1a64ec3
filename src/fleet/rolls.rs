//! What is kept of a roll: its id, and how it ended on each host (`P/rolls/<id>/<host>`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::order::random_word;
use super::records::{Record, Version};

/// Most characters of a roll's id.
const ID_MAX: usize = 64;

/// What the id of a roll begins with.
const ID_BEGIN: &str = "r-";

/// How many ids there are with three signs behind `r-`.
const IDS: u32 = 36 * 36 * 36;

/// The id of a roll, such as `r-5k2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RollId(String);

impl RollId {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let mut left = u32::from(random_word()) % IDS;
        let mut text = ID_BEGIN.to_owned();
        for _ in 0..3 {
            // Below 36, which has a sign of its own.
            text.extend(char::from_digit(left % 36, 36));
            left /= 36;
        }
        Self(text)
    }

    /// Reads one as it was typed; it is a part of keys of the engine.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(ID_BEGIN)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_id = !rest.is_empty() && text.len() <= ID_MAX && rest.chars().all(fits);
        is_id.then(|| Self(text.to_owned()))
    }

    /// As it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for RollId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for RollId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a roll ended on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RollState {
    /// The host is in rotation again, and has given its slot back.
    Done,
    /// It is not, and keeps its slot; or it was refused before anything was changed.
    #[default]
    Failed,
}

/// The result of a roll on a host. `done` is written together with the slot's release.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RollResult {
    /// The form of the record.
    pub v: Version,
    /// Done or failed.
    pub state: RollState,
    /// The exit code of `haroll` there.
    pub code: u8,
    /// When, in microseconds of unix time.
    pub at: u64,
    /// Why it failed.
    pub why: String,
}

impl Record for RollResult {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_roll_is_short_and_is_no_path() {
        for _ in 0..50 {
            let id = RollId::new();
            assert_eq!(id.as_str().len(), 5, "{id}");
            assert_eq!(RollId::parse(id.as_str()), Some(id));
        }
        for bad in ["", "r-", "5k2", "lock", "r-a/b", "r-a b", "r-é", "R-5k2"] {
            assert_eq!(RollId::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_result_is_read_as_specified() {
        let text = br#"{"v":1,"state":"failed","code":7,"at":1795632137020409,"why":"sh failed: exit status: 7"}"#;
        let result = RollResult::parse(text).unwrap();
        assert_eq!((result.state, result.code), (RollState::Failed, 7));
        let done = RollResult {
            state: RollState::Done,
            at: 5,
            ..RollResult::default()
        };
        let text = r#"{"v":1,"state":"done","code":0,"at":5,"why":""}"#;
        assert_eq!(done.to_json(), text);
    }
}
