//! Directories that are removed unless published.

use std::path::{Path, PathBuf};

/// A fresh directory under `tmp/`, removed on drop, whatever the modes of what was put into it.
#[derive(Debug)]
pub struct Staging {
    pub(crate) path: Option<PathBuf>,
}

impl Staging {
    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or(Path::new(""))
    }

    /// Leaves the directory where it is, to be looked at; garbage collection removes it later.
    pub fn keep(mut self) -> PathBuf {
        self.path.take().unwrap_or_default()
    }
}
