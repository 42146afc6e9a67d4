//! Digests of contents and keys of what determines them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const KEY_CONTEXT: &str = "hyper-flow 2026 node key";

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a digest: 64 lower-case hexadecimal digits are wanted")]
pub struct ParseDigestError(String);

macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// From 32 bytes, as [`Self::as_bytes`] gave them.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The first 12 hexadecimal digits, for people.
            pub fn short(&self) -> String {
                self.to_string()[..12].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(blake3::Hash::from_bytes(self.0).to_hex().as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = ParseDigestError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hash_type! {
    /// The blake3 digest of a content: of a file, or (under another context) of a [`crate::Tree`].
    Digest
}

hash_type! {
    /// What a record is filed under: derived from everything that determines an artifact.
    Key
}

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        blake3::hash(bytes).into()
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Digest {
        Digest(*hash.as_bytes())
    }
}

impl Key {
    /// The key of a preimage: the canonical encoding of everything that determines an artifact.
    pub fn derive(preimage: &[u8]) -> Key {
        Key(blake3::derive_key(KEY_CONTEXT, preimage))
    }
}

/// Only the one spelling that `Display` gives, so that a digest has one name in the file system.
fn parse_hex(text: &str) -> Result<[u8; 32], ParseDigestError> {
    let bad = || ParseDigestError(text.chars().take(80).collect());
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(bad());
    }
    let hash = blake3::Hash::from_hex(text).map_err(|_| bad())?;
    Ok(*hash.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let digest = Digest::of(b"abc");
        let hex = "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
        assert_eq!(digest.to_string(), hex);
        assert_eq!(digest.short(), "6437b3ac3846");
        assert_eq!(hex.parse(), Ok(digest));
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{hex}\""));
        assert_eq!(serde_json::from_str::<Digest>(&format!("\"{hex}\"")).unwrap(), digest);
        for wrong in ["", "6437", &hex.to_uppercase(), &format!("{hex}0"), &hex.replace('6', "g")] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_key_of_a_preimage_is_pinned() {
        let key = "a3bed19b7947e18708b7da2b28ab968e1bb63299455f034f5a4fa8053fe4fc45";
        assert_eq!(Key::derive(b"abc").to_string(), key);
        assert_ne!(Key::derive(b"abc").as_bytes(), Digest::of(b"abc").as_bytes());
    }
}
