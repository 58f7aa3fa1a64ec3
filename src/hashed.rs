//! Keys that are hashed once, when they are made, for all look-ups of a request.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};
use std::sync::LazyLock;

/// Of this process, so that nobody can make up keys that fall together.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The hash of a key's parts.
pub(crate) fn hash(parts: impl Hash) -> u64 {
    HASHES.hash_one(parts)
}

/// For maps whose keys bring their hash.
pub(crate) type Given = BuildHasherDefault<GivenHasher>;

/// Hands on the hash that a key has.
#[derive(Debug, Default)]
pub(crate) struct GivenHasher(u64);

impl Hasher for GivenHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {
        // A key that brings its hash writes one number.
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
