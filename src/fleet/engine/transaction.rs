//! What is read, and what is written when nothing else was meanwhile.
//!
//! Rule: there is no write without a comparison. One that timed out may still be applied much later, by a member that hung;
//! compared with the revision that was read, it can then never win.

use super::error::EngineError;
use super::messages::{
    Compare, DeleteRangeRequest, Pair, PutRequest, RangeRequest, RequestOp, TARGET_MOD, TxnRequest,
};

/// Keys of the engine: one, or all under a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    pub(super) start: Vec<u8>,
    /// The first key behind it; empty for one key alone.
    pub(super) end: Vec<u8>,
}

impl KeyRange {
    /// One key.
    #[must_use]
    pub fn one(key: &str) -> Self {
        Self {
            start: key.into(),
            // etcd's manual, "Key ranges": an empty end is one key alone.
            end: Vec::new(),
        }
    }

    /// All keys that begin with a text, which ends with a slash.
    #[must_use]
    pub fn under(prefix: &str) -> Self {
        let mut end: Vec<u8> = prefix.into();
        if let Some(last) = end.last_mut() {
            // No byte of UTF-8 is 255.
            *last += 1;
        }

        Self {
            start: prefix.into(),
            end,
        }
    }

    pub(super) fn request(&self, min_mod_revision: i64) -> RangeRequest {
        RangeRequest {
            key: self.start.clone(),
            range_end: self.end.clone(),
            min_mod_revision,
        }
    }
}

/// What was read, all at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Another one after the engine was set up anew.
    pub cluster: u64,
    /// The engine's revision at that moment.
    pub revision: i64,
    /// The pairs in the order of their keys.
    pub pairs: Vec<Pair>,
}

/// Changes that are made together, or not at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transaction(pub(super) TxnRequest);

impl Transaction {
    /// Nothing is changed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only when the last change of a key was at this revision; 0 when there is no such key.
    #[must_use]
    pub fn unchanged(mut self, key: &str, mod_revision: i64) -> Self {
        // By the revision of the last change, and not by the value: one that went and came back is another one.
        self.0.compare.push(Compare {
            target: TARGET_MOD,
            key: key.into(),
            mod_revision: Some(mod_revision),
        });
        self
    }

    /// Only when there is no such key.
    #[must_use]
    pub fn absent(self, key: &str) -> Self {
        self.unchanged(key, 0)
    }

    /// Writes a value for ever.
    #[must_use]
    pub fn put(self, key: &str, value: impl Into<Vec<u8>>) -> Self {
        self.put_leased(key, value, 0)
    }

    /// Writes a value for as long as a lease lives.
    #[must_use]
    pub fn put_leased(mut self, key: &str, value: impl Into<Vec<u8>>, lease: i64) -> Self {
        let put = PutRequest {
            key: key.into(),
            value: value.into(),
            lease,
        };

        self.0.success.push(RequestOp {
            put: Some(put),
            ..RequestOp::default()
        });
        self
    }

    /// Deletes keys.
    #[must_use]
    pub fn delete(mut self, keys: KeyRange) -> Self {
        let delete_range = DeleteRangeRequest {
            key: keys.start,
            range_end: keys.end,
        };

        self.0.success.push(RequestOp {
            delete_range: Some(delete_range),
            ..RequestOp::default()
        });
        self
    }
}

/// How a transaction ended.
#[derive(Debug)]
pub enum Committed {
    /// It was applied, at this revision.
    Done(i64),
    /// Something else was written meanwhile; nothing was applied.
    Conflict,
    /// Nobody knows: read again. If what was written is there, it is done; else it can be tried again with the revision
    /// that is read then, and this one will never be applied.
    Unknown(EngineError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_behind_the_last_key_of_its_prefix() {
        let range = KeyRange::under("/p/");
        assert_eq!(
            (&range.start[..], &range.end[..]),
            (&b"/p/"[..], &b"/p0"[..])
        );
        assert!(KeyRange::one("/p").end.is_empty());
    }

    #[test]
    fn a_comparison_with_no_revision_is_sent_as_one() {
        use prost::Message as _;
        let transaction = Transaction::new().absent("k").put("k", "v");
        let bytes = transaction.0.encode_to_vec();
        // compare {target: MOD, key: "k", mod_revision: 0}, success {put {key: "k", value: "v"}}
        assert_eq!(
            bytes,
            b"\x0a\x07\x10\x02\x1a\x01k\x30\x00\x12\x08\x12\x06\x0a\x01k\x12\x01v"
        );
    }
}
