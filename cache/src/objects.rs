//! Contents by digest: whether they are still what they were, and setting aside what is not.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::digest::Digest;
use crate::error::{Result, StoreError};
use crate::store::Store;
use crate::tree::Tree;
use crate::{fault, files};

impl Store {
    /// Whether the object is there, judged by size and mtime; hashed where these differ.
    pub(crate) fn holds(&self, digest: &Digest, size: u64) -> Result<bool> {
        let path = self.object_path(digest);
        match files::stat(&path)? {
            None => Ok(false),
            Some(meta) if self.trusts_stamps && files::is_sealed(&meta, size) => Ok(true),
            Some(_) => self.holds_content(digest),
        }
    }

    /// Whether the object is there, judged by its content. An altered one is set aside; stamps that
    /// alone differ are restored.
    pub(crate) fn holds_content(&self, digest: &Digest) -> Result<bool> {
        let path = self.object_path(digest);
        let Some(meta) = files::stat(&path)? else { return Ok(false) };
        if meta.is_file() {
            let hashed = files::open(&path).and_then(|mut file| files::hash_through(&mut file, &mut io::sink()));
            match files::absent_is_none(hashed).map_err(StoreError::io("read", &path))? {
                None => return Ok(false),
                Some((found, size)) if found == *digest => {
                    restore_stamps(&path, size);
                    return Ok(true);
                }
                Some(_) => {}
            }
        }
        self.set_aside(&path);
        Ok(false)
    }

    /// Fails with the first file of the artifact whose object is missing or altered in content.
    pub(crate) fn verify_objects(&self, artifact: &Digest, tree: &Tree) -> Result<()> {
        for entry in tree.entries() {
            if !self.holds_content(&entry.digest)? {
                return Err(StoreError::Damaged { artifact: *artifact, path: entry.path.clone() });
            }
        }
        Ok(())
    }

    /// Moves what was altered out of the way. Where that cannot be done (a read-only store) it stays
    /// a miss all the same.
    pub(crate) fn set_aside(&self, path: &Path) {
        let moved = self.move_aside(path);
        match moved {
            Ok(()) => tracing::warn!(path = %path.display(), "altered, set aside"),
            Err(error) => tracing::warn!(path = %path.display(), %error, "altered, cannot be set aside"),
        }
    }

    pub(crate) fn move_aside(&self, path: &Path) -> Result<()> {
        let damaged = self.root().join("damaged");
        files::make_dir(&damaged)?;
        let name = path.strip_prefix(self.root()).unwrap_or(path).to_string_lossy().replace('/', "-");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let dest = damaged.join(format!("{name}.{now}-{}", process::id()));
        let moved = fault::point("set aside").and_then(|()| fs::rename(path, dest));
        files::absent_is_none(moved).map_err(StoreError::io("set aside", path))?;
        Ok(())
    }
}

/// As far as one may: a store of another user's is still good to read.
fn restore_stamps(path: &Path, size: u64) {
    let sealed = fs::symlink_metadata(path).is_ok_and(|meta| files::is_sealed(&meta, size));
    if !sealed && let Ok(file) = File::open(path) {
        let restored = files::stamp(&file, files::READ_ONLY);
        tracing::debug!(path = %path.display(), ?restored, "stamps differed, content did not");
    }
}
