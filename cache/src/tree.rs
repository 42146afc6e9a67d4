//! Manifests: what files an artifact has.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Relative, with `/` between names.
    pub path: String,
    /// Whether its owner may execute it; no other mode bit is kept.
    pub exec: bool,
    /// In bytes.
    pub size: u64,
    /// Of its content.
    pub digest: Digest,
}

/// The files of an artifact, sorted by path. Empty directories are not kept: an artifact is its
/// files, as in git, so that equal files give equal digests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    entries: Vec<Entry>,
}

impl Tree {
    /// The files, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The file of that path.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|e| e.path.as_str().cmp(path)).ok()?;
        Some(&self.entries[at])
    }

    /// The sum of the sizes.
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|e| e.size).sum()
    }

    /// The artifact's digest: blake3 of the manifest under a context of its own, so that no file has
    /// the digest of a directory.
    pub fn digest(&self) -> Digest {
        todo!()
    }
}
