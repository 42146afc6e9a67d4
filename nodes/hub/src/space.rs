//! Room on the disk.

use std::path::Path;

use crate::HubError;

/// Fails when this many bytes do not fit where a folder is. A file system that says nothing of itself is let pass: the write
/// will tell.
pub(crate) fn check(folder: &Path, needed: u64) -> Result<(), HubError> {
    let Ok(found) = rustix::fs::statvfs(folder) else { return Ok(()) };
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    match free < needed {
        // Some network file systems report no blocks at all.
        true if found.f_blocks > 0 => Err(HubError::Space { folder: folder.to_owned(), needed, free }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_disk_holds_everything() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), 1).unwrap();
        let error = check(folder.path(), u64::MAX).unwrap_err().to_string();
        assert!(error.contains("free"), "{error}");
    }
}
