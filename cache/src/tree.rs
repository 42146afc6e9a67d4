//! Manifests: what files an artifact has.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

const TREE_CONTEXT: &str = "hyper-flow 2026 artifact tree";

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Of its content.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Whether its owner may execute it; no other mode bit is kept.
    pub exec: bool,
    /// Relative, with `/` between names.
    pub path: String,
}

/// The files of an artifact, sorted by path. Empty directories are not kept: an artifact is its
/// files, as in git, so that equal files give equal digests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    entries: Vec<Entry>,
}

impl Tree {
    /// Of these files, in any order.
    pub(crate) fn new(mut entries: Vec<Entry>) -> Tree {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Tree { entries }
    }

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
        digest_of(&self.encode())
    }

    /// The manifest: one JSON entry a line.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for entry in &self.entries {
            serde_json::to_writer(&mut bytes, entry).expect("an entry has only plain fields");
            bytes.push(b'\n');
        }
        bytes
    }

    /// Reads the manifest of `artifact`; `None` if these bytes are not it.
    pub(crate) fn decode(artifact: &Digest, bytes: &[u8]) -> Option<Tree> {
        if digest_of(bytes) != *artifact {
            return None;
        }
        let lines = bytes.split_inclusive(|&b| b == b'\n');
        let entries: Vec<Entry> = lines.map(serde_json::from_slice).collect::<Result<_, _>>().ok()?;
        entries.iter().all(|e| is_inside(&e.path)).then_some(Tree { entries })
    }
}

fn digest_of(manifest: &[u8]) -> Digest {
    Digest::from_bytes(blake3::derive_key(TREE_CONTEXT, manifest))
}

/// Whether a path stays below the directory it is joined to.
fn is_inside(path: &str) -> bool {
    path.split('/').all(|name| !matches!(name, "" | "." | "..") && !name.contains('\0'))
}
