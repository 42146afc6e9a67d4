//! Giving artifacts to people.

use std::path::Path;

use crate::digest::Digest;
use crate::error::Result;
use crate::store::Store;

/// How to export.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions {
    /// Overwrite files of a destination that this store did not fill. Files of other names stay.
    pub force: bool,
}

/// What an export did, by file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    /// Written, because they were missing or differed.
    pub written: Vec<String>,
    /// Already there with the right content.
    pub unchanged: Vec<String>,
    /// Removed: a former export put them there, unedited since, and this artifact has no such file.
    pub removed: Vec<String>,
}

impl Store {
    /// Writes the artifact's files into the directory `dest`, as reflinks or copies, never as hard
    /// links, each one atomically. What an earlier export put there is brought up to date: deleted
    /// and changed files are restored. Other files in `dest` are left alone.
    ///
    /// # Errors
    /// [`crate::StoreError::Foreign`] if `dest` is not empty, was not filled by this store, does not
    /// hold the artifact already, and `force` is not set; [`crate::StoreError::Damaged`].
    pub fn export(&self, artifact: &Digest, dest: &Path, options: ExportOptions) -> Result<Exported> {
        let _ = (artifact, dest, options);
        todo!()
    }
}
