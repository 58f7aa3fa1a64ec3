//! Keys that are hashed once, when they are made, for all look-ups of a request.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};
use std::ops::Deref;
use std::sync::LazyLock;

/// Of this process, so that nobody can make up keys that fall together.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The hash of a key.
fn hash(key: impl Hash) -> u64 {
    let mut gathering = Gathering {
        inner: HASHES.build_hasher(),
        gathered: [0; GATHERED],
        length: 0,
    };
    key.hash(&mut gathering);
    gathering.finish()
}

/// Bytes that are hashed at once: most keys are shorter.
const GATHERED: usize = 128;

/// Hands the parts of a key on together: each call of the hasher takes longer than a part.
struct Gathering<H> {
    inner: H,
    gathered: [u8; GATHERED],
    length: usize,
}

impl<H: Hasher + Clone> Hasher for Gathering<H> {
    #[inline] // most parts have a length that is known there
    fn write(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(space) = self.gathered.get_mut(self.length..end) {
            space.copy_from_slice(bytes);
            self.length = end;
            return;
        }
        self.inner.write(&self.gathered[..self.length]);
        self.inner.write(bytes);
        self.length = 0;
    }

    /// To be asked once, when all parts are there.
    fn finish(&self) -> u64 {
        let mut inner = self.inner.clone();
        inner.write(&self.gathered[..self.length]);
        inner.finish()
    }
}

/// A key with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed<T> {
    /// First, as it mostly tells two apart at once.
    hash: u64,
    key: T,
}

impl<T: Hash> Hashed<T> {
    /// Hashes a key.
    #[must_use]
    pub fn new(key: T) -> Self {
        Self {
            hash: hash(&key),
            key,
        }
    }

    /// One of a hash that is not its own.
    #[cfg(test)]
    pub(crate) fn falling_together(other: &Self, key: T) -> Self {
        Self {
            hash: other.hash,
            key,
        }
    }
}

impl<T> Hashed<T> {
    /// The hash: a number that stands for the key where a mistake in some 10^19 does no harm.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.hash
    }
}

impl<T> Hash for Hashed<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl<T> Deref for Hashed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.key
    }
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
