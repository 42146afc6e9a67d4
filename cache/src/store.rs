//! Opening a store, and where things are in it.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::digest::{Digest, Key};
use crate::error::{Result, StoreError};
use crate::files;
use crate::staging::Staging;

const FORMAT: &str = "hyper-flow store 1";
const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This directory is a store of hyper-flow: what is in it can be made again.\n";

/// Every name a store's root may have.
const NAMES: [&str; 15] = [
    "version",
    ".gitignore",
    "CACHEDIR.TAG",
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
    "locks",
    "index",
];

/// A content-addressed store in a directory. Cheap to clone; many processes may use one at once.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    /// Whether sizes and times tell that a file is as it was.
    pub(crate) trusts_stamps: bool,
}

#[derive(Debug)]
pub(crate) struct Inner {
    root: PathBuf,
    /// One opening of the index at a time in this process; others are kept out by a lock file.
    pub(crate) index: Mutex<()>,
    /// The stat memo, once it was needed.
    pub(crate) memo: Mutex<Option<HashMap<Digest, Digest>>>,
}

impl Store {
    /// Opens the store at `root`, creating it where there is none. An existing store is opened
    /// without writing, so that a read-only one can be read.
    ///
    /// # Errors
    /// A store of another format, or a directory that is neither empty nor a store.
    pub fn open(root: &Path) -> Result<Store> {
        let version = root.join("version");
        match files::read_plain(&version)? {
            Some(found) => check_version(root, &found)?,
            None => create(root)?,
        }
        Store::at(root)
    }

    fn at(root: &Path) -> Result<Store> {
        let root = fs::canonicalize(root).map_err(StoreError::io("open", root))?;
        let inner = Inner { root, index: Mutex::default(), memo: Mutex::default() };
        Ok(Store { inner: Arc::new(inner), trusts_stamps: true })
    }

    /// The same store for one who trusts no size and no time: every source is read, and every object hashed, before
    /// [`Store::digest_path`] and [`Store::lookup`] answer.
    pub fn paranoid(self) -> Store {
        Store { trusts_stamps: false, ..self }
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
        let path = self.scratch_path(key);
        files::make_dir(&path)?;
        Ok(path)
    }

    /// Removes `scratch/<key>/`, once its key is published.
    pub fn clear_scratch(&self, key: &Key) -> Result<()> {
        files::remove_tree(&self.scratch_path(key))
    }

    /// A fresh directory in the store's file system, removed on drop. Hold [`Store::lock_shared`]
    /// meanwhile: garbage collection removes what it takes for left over.
    pub fn staging(&self) -> Result<Staging> {
        Staging::new(&self.tmp())
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root().join("tmp")
    }

    /// As [`Store::scratch`], and makes nothing.
    pub fn scratch_path(&self, key: &Key) -> PathBuf {
        self.root().join("scratch").join(key.to_string())
    }

    pub(crate) fn object_path(&self, digest: &Digest) -> PathBuf {
        self.filed("objects", digest)
    }

    pub(crate) fn tree_path(&self, artifact: &Digest) -> PathBuf {
        self.filed("trees", artifact)
    }

    pub(crate) fn record_path(&self, key: &Key) -> PathBuf {
        self.filed("records", key)
    }

    pub(crate) fn preimage_path(&self, key: &Key) -> PathBuf {
        self.filed("preimages", key)
    }

    /// `area/ab/cdef…`: directories stay small with any number of files.
    fn filed(&self, area: &str, name: &impl Display) -> PathBuf {
        let hex = name.to_string();
        self.root().join(area).join(&hex[..2]).join(&hex[2..])
    }
}

fn check_version(root: &Path, found: &[u8]) -> Result<()> {
    let found = String::from_utf8_lossy(found).trim().to_owned();
    if found == FORMAT {
        return Ok(());
    }
    Err(StoreError::Version { root: root.to_owned(), found, known: FORMAT })
}

/// The version file comes last: a creation that was cut off is simply done again.
fn create(root: &Path) -> Result<()> {
    files::make_dir(root)?;
    refuse_foreign(root)?;
    // Of two who create it the first may be at garbage collection while the second still writes.
    let _lock = Store::at(root)?.lock_shared()?;
    let tmp = root.join("tmp");
    files::write_atomic(&tmp, &root.join(".gitignore"), b"*\n")?;
    files::write_atomic(&tmp, &root.join("CACHEDIR.TAG"), CACHEDIR_TAG.as_bytes())?;
    files::write_atomic(&tmp, &root.join("version"), format!("{FORMAT}\n").as_bytes())
}

/// A store made of somebody's directory would collect their `tmp` as garbage.
fn refuse_foreign(root: &Path) -> Result<()> {
    let names = fs::read_dir(root).map_err(StoreError::io("read", root))?;
    for name in names {
        let name = name.map_err(StoreError::io("read", root))?.file_name();
        if !NAMES.iter().any(|known| name == *known) {
            let found = name.to_string_lossy().into_owned();
            return Err(StoreError::NotAStore { root: root.to_owned(), found });
        }
    }
    Ok(())
}
