//! Hashes of the media, and whether they are those that the image carries.

use std::io;
use std::ops::ControlFlow;

use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{Gap, Source, StoredHash};
use crate::bytes::text::hex;
use crate::bytes::{ReadAt, read_up_to};

/// Bytes that are read at once: a multiple of every common chunk size, so that no chunk is inflated twice.
const BLOCK: usize = 4 << 20;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Algorithm {
    /// MD5.
    #[serde(rename = "md5")]
    Md5,
    /// SHA-1.
    #[serde(rename = "sha1")]
    Sha1,
    /// SHA-256.
    #[serde(rename = "sha256")]
    Sha256,
}

impl Algorithm {
    /// The name used in output.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA-1",
            Self::Sha256 => "SHA-256",
        }
    }
}

/// The hashes of a stream, in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// MD5.
    pub md5: String,
    /// SHA-1.
    pub sha1: String,
    /// SHA-256.
    pub sha256: String,
}

impl Digests {
    /// The hash of that algorithm.
    pub fn get(&self, algorithm: Algorithm) -> &str {
        match algorithm {
            Algorithm::Md5 => &self.md5,
            Algorithm::Sha1 => &self.sha1,
            Algorithm::Sha256 => &self.sha256,
        }
    }
}

/// Computes all three hashes from bytes as they come, for those who read the media anyway.
#[derive(Clone, Debug, Default)]
pub struct Hasher {
    md5: Md5,
    sha1: Sha1,
    sha256: Sha256,
}

impl Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.sha1.update(bytes);
        self.sha256.update(bytes);
    }

    /// The hashes of all that was added.
    pub fn finish(self) -> Digests {
        Digests {
            md5: hex(&self.md5.finalize()),
            sha1: hex(&self.sha1.finalize()),
            sha256: hex(&self.sha256.finalize()),
        }
    }
}

/// Why there are no hashes.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// The caller asked to stop.
    #[error("stopped before the end")]
    Stopped,
    /// The source can't be read.
    #[error("the image can't be read at offset {offset:#x}: {error}")]
    Read {
        /// Where.
        offset: u64,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// Hashes a source from end to end. `progress` hears the bytes done and all bytes, and may stop the work.
///
/// # Errors
/// [`HashError::Stopped`], or the source's own error. A [`Source`] has none of its own: what it can't read is zeros.
pub fn hash_all(
    source: &dyn ReadAt,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Digests, HashError> {
    let mut hasher = Hasher::default();
    let mut buf = vec![0; BLOCK];
    let mut offset = 0;
    loop {
        if progress(offset, source.len()).is_break() {
            return Err(HashError::Stopped);
        }
        let n = read_up_to(source, offset, &mut buf).map_err(|error| HashError::Read { offset, error })?;
        hasher.update(buf.get(..n).unwrap_or_default());
        offset = offset.saturating_add(n as u64);
        if n == 0 {
            return Ok(hasher.finish());
        }
    }
}

/// Whether the media is what it was when the image was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every hash that the image carries is that of the media.
    Matches,
    /// All of the media could be read, and a hash differs.
    Differs,
    /// The image carries no hash.
    NotStored,
    /// Some of the media could not be read, so no hash can tell.
    Incomplete,
}

impl Outcome {
    /// The outcome in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Matches => "matches",
            Self::Differs => "differs",
            Self::NotStored => "not stored",
            Self::Incomplete => "incomplete",
        }
    }
}

/// One stored hash beside the computed one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What the image carries.
    pub stored: StoredHash,
    /// What the media gives.
    pub computed: String,
    /// Whether they are equal.
    pub equal: bool,
}

/// The hashes of an image and what they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// The hashes of the media, unread ranges as zeros.
    pub computed: Digests,
    /// Each hash that the image carries.
    pub compared: Vec<Comparison>,
    /// What follows from it.
    pub outcome: Outcome,
    /// Bytes of the media.
    pub size: u64,
    /// Bytes that could not be read.
    pub unreadable: u64,
}

impl Verification {
    /// Compares hashes that were computed over all of `source`.
    pub fn new(source: &Source, computed: Digests) -> Self {
        Self::compare(computed, &source.facts().stored_hashes, &source.gaps(), source.len())
    }

    fn compare(computed: Digests, stored: &[StoredHash], gaps: &[Gap], size: u64) -> Self {
        let compared: Vec<Comparison> = stored
            .iter()
            .map(|stored| {
                let computed = computed.get(stored.algorithm).to_owned();
                Comparison { stored: stored.clone(), equal: computed == stored.value, computed }
            })
            .collect();
        let outcome = if !compared.is_empty() && compared.iter().all(|c| c.equal) {
            // Even with a gap: if the hash is right, the bytes that could not be read were zeros.
            Outcome::Matches
        } else if !gaps.is_empty() {
            Outcome::Incomplete
        } else if compared.is_empty() {
            Outcome::NotStored
        } else {
            Outcome::Differs
        };
        let unreadable = gaps.iter().map(|gap| gap.len).fold(0, u64::saturating_add);
        Self { computed, compared, outcome, size, unreadable }
    }
}

/// Reads all of an image and compares its hashes with those it carries.
///
/// # Errors
/// As [`hash_all`].
pub fn verify(
    source: &Source,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Verification, HashError> {
    Ok(Verification::new(source, hash_all(source, progress)?))
}

#[cfg(test)]
mod tests {
    use super::super::GapReason;
    use super::*;

    /// The hashes of "abc" from RFC 1321 (A.5), RFC 3174 (7.3) and FIPS 180-2 (B.1).
    #[test]
    fn published_hashes() {
        let digests = hash_all(&b"abc".to_vec(), &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!(digests.md5, "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(digests.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(digests.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn the_caller_may_stop() {
        let stopped = hash_all(&vec![0; 10], &mut |_, _| ControlFlow::Break(()));
        assert!(matches!(stopped, Err(HashError::Stopped)));
    }

    #[test]
    fn outcomes() {
        let digests = || hash_all(&b"abc".to_vec(), &mut |_, _| ControlFlow::Continue(())).unwrap();
        let stored = |algorithm, value: &str| StoredHash { algorithm, value: value.to_owned(), section: "hash" };
        let good = stored(Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72");
        let bad = stored(Algorithm::Sha1, "0000000000000000000000000000000000000001");
        let gap = Gap { start: 0, len: 1, reason: GapReason::BadChunk };
        let outcome = |stored: &[StoredHash], gaps: &[Gap]| Verification::compare(digests(), stored, gaps, 3).outcome;
        assert_eq!(outcome(&[], &[]), Outcome::NotStored);
        assert_eq!(outcome(std::slice::from_ref(&good), &[]), Outcome::Matches);
        assert_eq!(outcome(&[good, bad.clone()], &[]), Outcome::Differs);
        assert_eq!(outcome(&[bad], &[gap]), Outcome::Incomplete);
        assert_eq!(outcome(&[], &[gap]), Outcome::Incomplete);
    }
}
