//! Writing files so that a crash at any point leaves the old or the new, and removing trees.

use std::path::Path;

use crate::error::Result;

/// Removes a directory or file with all that is in it, also where directories are read-only (as
/// those of [`crate::Store::link_into`] are). Nothing there is no error.
pub fn remove_tree(path: &Path) -> Result<()> {
    let _ = path;
    todo!()
}
