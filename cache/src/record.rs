//! What a key produced.

use serde_json::Value;

use crate::digest::{Digest, Key};

/// What a key produced.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The key it is filed under.
    pub key: Key,
    /// The digest of the artifact's [`crate::Tree`].
    pub artifact: Digest,
    /// The sum of the sizes of its files.
    pub bytes: u64,
    /// How many files it has.
    pub files: u64,
    /// The publisher's: where and how it was made, opaque to the store.
    pub meta: Value,
}
