//! What a key produced.

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Key};
use crate::meta::Meta;

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
    /// The publisher's: where and how it was made.
    pub meta: Meta,
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn record(meta: Value) -> Record {
        Record { key: Key::derive(b"k"), artifact: Digest::of(b"a"), bytes: 1, files: 2, meta: meta.into() }
    }

    #[test]
    fn numbers_of_all_kinds_come_back() {
        let meta = json!({"z": [1, -1, 0.1, 1e300, -0.0, u64::MAX], "a": {"nested": null}});
        let record = record(meta);
        assert_eq!(Record::decode(&record.key, &record.encode()), Some(record.clone()));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
            let record = record(json!({"seconds": 1.5, "device": "cpu"}));
            let mut bytes = record.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            // White space between the fields is all that may differ.
            let read = Record::decode(&record.key, &bytes);
            prop_assert!(read.is_none_or(|read| read == record));
        }
    }
}
