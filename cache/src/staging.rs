//! Directories that are removed unless published.

use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};
use crate::files;

/// A fresh directory under `tmp/`, removed on drop, whatever the modes of what was put into it.
#[derive(Debug)]
pub struct Staging {
    path: PathBuf,
    keep: bool,
}

impl Staging {
    pub(crate) fn new(tmp: &Path, prefix: &str) -> Result<Staging> {
        let made = files::in_dir(tmp, || tempfile::Builder::new().prefix(prefix).tempdir_in(tmp))?;
        let dir = made.map_err(StoreError::io("create a directory in", tmp))?;
        Ok(Staging { path: dir.keep(), keep: false })
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the directory where it is, to be looked at; garbage collection removes it later.
    pub fn keep(mut self) -> PathBuf {
        self.keep = true;
        self.path.clone()
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = files::remove_tree(&self.path) {
            tracing::warn!(%error, "left over until the next garbage collection");
        }
    }
}
