//! What is a directory in a store, and what stands where one belongs.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{Access as Permission, access};

use crate::error::{Result, StoreError};
use crate::files;
use crate::store::Store;

/// The directories whose files are filed by digest, `ab/cdef…`.
pub(crate) const FILED: [&str; 4] = ["objects", "trees", "records", "preimages"];

/// All directories of a store but the index, which mends itself.
pub(crate) const AREAS: [&str; 12] = [
    "objects",
    "trees",
    "records",
    "preimages",
    "runs",
    "scratch",
    "tmp",
    "damaged",
    "exports",
    "memos",
    "pins",
    "locks",
];

impl Store {
    /// Fails with the first thing in the way of a directory of the store.
    pub(crate) fn check_layout(&self) -> Result<()> {
        match self.in_the_way()?.into_iter().next() {
            Some(path) => Err(files::misplaced(path, "a directory")),
            None => Ok(()),
        }
    }

    /// What stands where a directory belongs, sorted.
    pub(crate) fn in_the_way(&self) -> Result<Vec<PathBuf>> {
        let mut found: Vec<PathBuf> = AREAS.iter().map(|area| self.root().join(area)).collect();
        for area in FILED {
            found.extend(no_directories(&self.root().join(area))?.into_iter().filter(|path| is_shard(path)));
        }
        found.retain(|path| is_in_the_way(path));
        found.sort();
        Ok(found)
    }

    /// Whether this user may write what a run writes.
    ///
    /// # Errors
    /// [`StoreError::Unwritable`], naming what cannot be written.
    pub fn check_writable(&self) -> Result<()> {
        let there = AREAS.iter().map(|area| self.root().join(area)).filter(|path| path.is_dir());
        for path in std::iter::once(self.root().to_owned()).chain(there) {
            if let Err(error) = access(&path, Permission::WRITE_OK | Permission::EXEC_OK) {
                return Err(StoreError::Unwritable { root: self.root().to_owned(), path, error: error.into() });
            }
        }
        Ok(())
    }
}

/// What is in a directory without being one, by what the listing says: looking at each would take as long as
/// all else that a small plan does.
fn no_directories(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in files::list(dir)? {
        let entry = entry.map_err(StoreError::io("read", dir))?;
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// A symbolic link may lead to a directory elsewhere.
pub(crate) fn is_in_the_way(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok() && !fs::metadata(path).is_ok_and(|meta| meta.is_dir())
}

/// Whether a path is named as a directory of filed things is.
pub(crate) fn is_shard(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.len() == 2 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}
