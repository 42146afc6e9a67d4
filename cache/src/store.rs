//! Opening a store, and where things are in it.

use std::collections::HashMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::areas;
use crate::digest::{Digest, Key};
use crate::durable::Disk;
use crate::error::{Result, StoreError};
use crate::files;
use crate::format::{Access, FORMAT, Version};
use crate::known::Known;
use crate::layout::AREAS;
use crate::staging::Staging;

const CACHEDIR_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This directory is a store of hyper-flow: what is in it can be made again.\n";

/// What a store's root may have beside its directories.
const OTHER_NAMES: [&str; 4] = ["version", ".gitignore", "CACHEDIR.TAG", "index"];

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
    access: Access,
    there: bool,
    /// One opening of the index at a time in this process; others are kept out by a lock file.
    pub(crate) index: Mutex<()>,
    /// The stat memo, once it was needed.
    pub(crate) memo: Mutex<Option<HashMap<Digest, Digest>>>,
    pub(crate) disk: Disk,
    pub(crate) known: Known,
}

impl Store {
    /// Opens the store at `root`, creating a private one where there is none. An existing store is opened
    /// without writing, so that a read-only one can be read.
    ///
    /// # Errors
    /// A store of another format, or a directory that is neither empty nor a store, or one in which
    /// something is where it does not belong ([`Store::open_to_mend`]).
    pub fn open(root: &Path) -> Result<Store> {
        let access = match known(root)? {
            Some(access) => access,
            None => create(root)?,
        };
        let store = Store::at(root, access)?;
        store.check_layout()?;
        Ok(store)
    }

    /// As [`Store::open`], but creates nothing: where there is no store, what is opened is as an empty one,
    /// in which nothing is noted either.
    pub fn open_existing(root: &Path) -> Result<Store> {
        match known(root)? {
            Some(access) => {
                let store = Store::at(root, access)?;
                store.check_layout()?;
                Ok(store)
            }
            None if is_store(root) => Store::at(root, Access::of_directory(root)),
            None => {
                if root.exists() {
                    refuse_foreign(root)?;
                }
                let root = std::path::absolute(root).map_err(StoreError::io("find", root))?;
                Ok(Store::of(root, Access::Private, false))
            }
        }
    }

    /// Opens a store in which something may be where it does not belong, for [`Store::verify`].
    pub fn open_to_mend(root: &Path) -> Result<Store> {
        match Version::read(root)? {
            Version::Damaged(_) if is_store(root) => Store::at(root, Access::of_directory(root)),
            Version::Known(access) => Store::at(root, access),
            _ => Store::open_existing(root),
        }
    }

    fn at(root: &Path, access: Access) -> Result<Store> {
        let root = fs::canonicalize(root).map_err(StoreError::io("open", root))?;
        Ok(Store::of(root, access, true))
    }

    fn of(root: PathBuf, access: Access, there: bool) -> Store {
        let (index, memo) = (Mutex::default(), Mutex::default());
        let (disk, known) = (Disk::default(), Known::default());
        let inner = Inner { root, access, there, index, memo, disk, known };
        Store { inner: Arc::new(inner), trusts_stamps: true }
    }

    /// The same store for one who trusts no size and no time: every source is read, and every object hashed, before
    /// [`Store::digest_path`] and [`Store::lookup`] answer.
    pub fn paranoid(self) -> Store {
        Store { trusts_stamps: false, ..self }
    }

    pub(crate) fn with_access(&self, access: Access) -> Store {
        Store::of(self.root().to_owned(), access, self.is_there())
    }

    /// Whether there is a store, and not only the place for one ([`Store::open_existing`]).
    pub fn is_there(&self) -> bool {
        self.inner.there
    }

    /// Who may use it.
    pub fn access(&self) -> Access {
        self.inner.access
    }

    /// The directory, absolute.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// `runs/`: one directory a run, the caller's to fill.
    pub fn runs(&self) -> PathBuf {
        self.root().join("runs")
    }

    /// `scratch/<key>/`, created on demand: what a job keeps (checkpoints) until its key is published.
    pub fn scratch(&self, key: &Key) -> Result<PathBuf> {
        let path = self.scratch_path(key);
        files::make_dir(&path)?;
        Ok(path)
    }

    /// Every key that has a `scratch/<key>/`.
    pub fn scratches(&self) -> Result<Vec<Key>> {
        let paths = areas::children(&self.root().join("scratch"))?;
        Ok(paths.iter().filter_map(|path| areas::key_named(path)).collect())
    }

    /// Removes `scratch/<key>/`, once its key is published.
    pub fn clear_scratch(&self, key: &Key) -> Result<()> {
        files::remove_tree(&self.scratch_path(key))
    }

    /// A fresh directory in the store's file system, removed on drop. Hold [`Store::lock_shared`]
    /// meanwhile: garbage collection removes what it takes for left over.
    pub fn staging(&self) -> Result<Staging> {
        Staging::new(&self.tmp(), ".tmp")
    }

    /// As [`Store::staging`], for the processes that work on `key`: left alone by garbage collection as long as
    /// one of them has the key's lock ([`crate::KeyLock::inherited`]).
    pub fn staging_for(&self, key: &Key) -> Result<Staging> {
        Staging::new(&self.tmp(), &format!("{}-", key.short()))
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

/// Who may use the store that is at `root`, if one is.
fn known(root: &Path) -> Result<Option<Access>> {
    match Version::read(root)? {
        Version::Absent => Ok(None),
        Version::Known(access) => Ok(Some(access)),
        Version::Other(found) => Err(StoreError::Version { root: root.to_owned(), found, known: FORMAT }),
        Version::Damaged(found) if is_store(root) => {
            Err(StoreError::Misplaced { path: root.join("version"), found, wanted: "the format of the store" })
        }
        Version::Damaged(_) => Err(StoreError::NotAStore { root: root.to_owned(), found: "version".to_owned() }),
    }
}

/// Whether a directory is a store by everything but its `version` file.
fn is_store(root: &Path) -> bool {
    fs::read(root.join("CACHEDIR.TAG")).is_ok_and(|tag| tag == CACHEDIR_TAG.as_bytes())
        || ["objects", "trees", "records"].iter().all(|area| root.join(area).is_dir())
}

/// The version file comes last: a creation that was cut off is simply done again.
fn create(root: &Path) -> Result<Access> {
    fs::create_dir_all(root).map_err(StoreError::io("create", root))?;
    refuse_foreign(root)?;
    let access = if is_store(root) { Access::of_directory(root) } else { Access::Private };
    // Of two who create it the first may be at garbage collection while the second still writes.
    let _lock = Store::at(root, access)?.lock_shared()?;
    write_tags(root)?;
    write_version(root, access)?;
    Ok(access)
}

/// What tells other programs what this directory is.
pub(crate) fn write_tags(root: &Path) -> Result<()> {
    let tmp = root.join("tmp");
    files::write_atomic(&tmp, &root.join(".gitignore"), b"*\n")?;
    files::write_atomic(&tmp, &root.join("CACHEDIR.TAG"), CACHEDIR_TAG.as_bytes())
}

pub(crate) fn write_version(root: &Path, access: Access) -> Result<()> {
    files::write_atomic(&root.join("tmp"), &root.join("version"), access.version().as_bytes())
}

/// A store made of somebody's directory would collect their `tmp` as garbage.
fn refuse_foreign(root: &Path) -> Result<()> {
    let names = fs::read_dir(root).map_err(StoreError::io("read", root))?;
    for name in names {
        let name = name.map_err(StoreError::io("read", root))?.file_name();
        if !AREAS.iter().chain(&OTHER_NAMES).any(|known| name == *known) {
            let found = name.to_string_lossy().into_owned();
            return Err(StoreError::NotAStore { root: root.to_owned(), found });
        }
    }
    Ok(())
}
