//! What was noted of files that are being written: up to where they are as they were.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use blake3::Hasher;
use serde::{Deserialize, Serialize};

use crate::files;

/// Where a computation was when it was noted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Point {
    /// Rows that all of its files had.
    pub(super) rows: u32,
    /// The files, in the order of their tensors.
    pub(super) parts: Vec<Part>,
}

/// So many bytes from a file's beginning, and their digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) bytes: u64,
    pub(super) digest: String,
}

/// A file, and the digest of its beginning so far.
pub(super) struct Prefix {
    path: PathBuf,
    hasher: Hasher,
    bytes: u64,
}

impl Prefix {
    /// Nothing of a file yet. `job` says whose it is: what was computed for another has another digest.
    pub(super) fn new(path: PathBuf, job: &str) -> Self {
        let mut hasher = Hasher::new();
        hasher.update(job.as_bytes());
        Self { path, hasher, bytes: 0 }
    }

    /// Goes on to so many bytes; not back.
    pub(super) fn part(&mut self, bytes: u64) -> io::Result<Part> {
        let further = bytes.checked_sub(self.bytes).ok_or(io::ErrorKind::InvalidInput)?;
        let mut file = files::open(&self.path)?;
        file.seek(SeekFrom::Start(self.bytes))?;
        self.hasher.update_reader(file.take(further))?;
        self.bytes = bytes;
        Ok(Part { bytes, digest: self.hasher.finalize().to_string() })
    }

    /// Bytes of the file as it is now.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(files::open(&self.path)?.metadata()?.len())
    }

    /// For errors.
    pub(super) fn path(&self) -> &PathBuf {
        &self.path
    }
}

/// How many points, from the first one on, the files still bear out.
pub(super) fn whole(prefixes: &mut [Prefix], points: &[Point]) -> usize {
    let count = prefixes.len();
    let is_whole = |point: &&Point| {
        let mut parts = prefixes.iter_mut().zip(&point.parts);
        let fits = |(prefix, part): (&mut Prefix, &Part)| prefix.part(part.bytes).is_ok_and(|found| found == *part);
        point.parts.len() == count && parts.all(fits)
    };
    points.iter().take_while(is_whole).count()
}
