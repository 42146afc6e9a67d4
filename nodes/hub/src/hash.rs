//! What the bytes of a file must be.

use std::fmt;
use std::io::{self, Read};

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};

/// The hash by which a file is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hash {
    /// SHA-1 of git's blob, 40 digits: a hub's small files.
    GitBlob(String),
    /// SHA-256 of the content, 64 digits: a hub's large files (LFS), and files of other places.
    Sha256(String),
}

impl Hash {
    /// A SHA-256 as text; `None` when it is not 64 hexadecimal digits.
    pub fn sha256(digits: &str) -> Option<Hash> {
        is_hex(digits, 64).then(|| Hash::Sha256(digits.to_ascii_lowercase()))
    }

    /// The id of a git blob as text; `None` when it is not 40 hexadecimal digits.
    pub fn git_blob(digits: &str) -> Option<Hash> {
        is_hex(digits, 40).then(|| Hash::GitBlob(digits.to_ascii_lowercase()))
    }

    /// The same kind of hash of what is read, which is `size` bytes long. `each` is called between two pieces.
    pub(crate) fn of<E: From<io::Error>>(
        &self,
        mut content: impl Read,
        size: u64,
        mut each: impl FnMut() -> Result<(), E>,
    ) -> Result<Hash, E> {
        let mut context = Context::new(match self {
            Hash::GitBlob(_) => &SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256(_) => &SHA256,
        });
        if let Hash::GitBlob(_) = self {
            context.update(format!("blob {size}\0").as_bytes());
        }
        let mut piece = vec![0; 1 << 20];
        loop {
            match content.read(&mut piece)? {
                0 => break,
                read => context.update(&piece[..read]),
            }
            each()?;
        }
        let digits = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(match self {
            Hash::GitBlob(_) => Hash::GitBlob(digits),
            Hash::Sha256(_) => Hash::Sha256(digits),
        })
    }
}

fn is_hex(digits: &str, length: usize) -> bool {
    digits.len() == length && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hash::GitBlob(digits) => write!(f, "git blob {digits}"),
            Hash::Sha256(digits) => write!(f, "sha256 {digits}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(kind: &Hash, content: &[u8]) -> Hash {
        kind.of(content, content.len() as u64, || Ok::<(), io::Error>(())).unwrap()
    }

    /// `printf hello | git hash-object --stdin` and `printf hello | sha256sum`.
    #[test]
    fn hashes_are_those_of_git_and_sha256sum() {
        let blob = Hash::git_blob("b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0").unwrap();
        assert_eq!(hash(&blob, b"hello"), blob);
        let sha = Hash::sha256("2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824").unwrap();
        assert_eq!(hash(&sha, b"hello"), sha);
        assert_ne!(hash(&sha, b"hellp"), sha);
    }

    #[test]
    fn digits_are_counted() {
        assert_eq!(Hash::sha256("2cf24d"), None);
        assert_eq!(Hash::git_blob(&"g".repeat(40)), None);
    }
}
