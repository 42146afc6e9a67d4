//! What a key produced.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::{Digest, Key};

/// What a key produced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// A record as it lies in its file: with a digest, so that a damaged one is not believed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filed {
    record: Record,
    check: Digest,
}

impl Record {
    /// The file's content.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let filed = Filed { record: self.clone(), check: self.check() };
        let mut bytes = serde_json::to_vec_pretty(&filed).expect("a record is plain JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Reads the record of `key`; `None` if these bytes are not one.
    pub(crate) fn decode(key: &Key, bytes: &[u8]) -> Option<Record> {
        let Filed { record, check } = serde_json::from_slice(bytes).ok()?;
        (record.key == *key && record.check() == check).then_some(record)
    }

    /// Over the compact form, so that the file may be laid out for people.
    fn check(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).expect("a record is plain JSON"))
    }
}
