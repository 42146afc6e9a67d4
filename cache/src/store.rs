//! Opening a store, and where things are in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::digest::Key;
use crate::error::Result;
use crate::staging::Staging;

/// A content-addressed store in a directory. Cheap to clone; many processes may use one at once.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) root: PathBuf,
}

impl Store {
    /// Opens the store at `root`, creating it where there is none. An existing store is opened
    /// without writing, so that a read-only one can be read.
    ///
    /// # Errors
    /// A store of another format, or a directory that is neither empty nor a store.
    pub fn open(root: &Path) -> Result<Store> {
        let _ = root;
        todo!()
    }

    /// The directory, absolute.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// `runs/`: one directory a run, the caller's to fill. Run ids must sort by time, because the
    /// newest of two runs that set the same label wins.
    pub fn runs(&self) -> PathBuf {
        self.root().join("runs")
    }

    /// `scratch/<key>/`, created on demand: what a job keeps (checkpoints) until its key is published.
    pub fn scratch(&self, key: &Key) -> Result<PathBuf> {
        let _ = key;
        todo!()
    }

    /// Removes `scratch/<key>/`, once its key is published.
    pub fn clear_scratch(&self, key: &Key) -> Result<()> {
        let _ = key;
        todo!()
    }

    /// A fresh directory in the store's file system, removed on drop.
    pub fn staging(&self) -> Result<Staging> {
        todo!()
    }
}
