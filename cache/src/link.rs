//! Handing artifacts to a job, and looking at them again afterwards.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::clone::{self, Ways};
use crate::digest::Digest;
use crate::error::{Result, StoreError};
use crate::files;
use crate::store::Store;
use crate::tree::{Entry, Tree};

/// Who reads a directory of [`Store::link_into`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A program that is known to leave its inputs alone.
    Known,
    /// Any program. Where its user is root, modes keep it from nothing, so that it gets files of its own rather than other
    /// names of the objects, from which others read at the same time; but of an artifact that is larger than this.
    Any {
        /// In bytes; a file counts for 32 KiB more than it has.
        limit: u64,
    },
}

impl Reader {
    fn ways(self, tree: &Tree) -> Ways {
        let may_write = rustix::process::geteuid().is_root();
        match self {
            Reader::Any { limit } if may_write && clone::cost(tree.bytes(), tree.entries().len()) <= limit => {
                Ways { hard_link: false, ..Ways::ALL }
            }
            _ => Ways::ALL,
        }
    }
}

/// A directory that [`Store::link_into`] filled, and what its files looked like then.
#[derive(Debug)]
pub struct Linked {
    artifact: Digest,
    path: PathBuf,
    /// In the order of the manifest.
    stamps: Vec<Stamp>,
}

impl Linked {
    /// The artifact.
    pub fn artifact(&self) -> Digest {
        self.artifact
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Every change of a file shows in its ctime, which no program can set; so does another name of the same object, for another
/// job, which is no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    ctime: (i64, i64),
}

impl Stamp {
    fn of(meta: &Metadata) -> Stamp {
        Stamp { inode: meta.ino(), ctime: (meta.ctime(), meta.ctime_nsec()) }
    }
}

impl Store {
    /// Makes `dest` (absent, or an empty directory) the artifact's content, read-only, for a job to
    /// read: each object is verified, then reflinked, else hard-linked, else copied. Never use it for
    /// a directory that somebody edits: a hard link is the object itself; see [`Store::export`].
    /// [`crate::remove_tree`] removes it again.
    ///
    /// # Errors
    /// [`crate::StoreError::Damaged`] if the artifact is not whole; what was altered is set aside.
    pub fn link_into(&self, artifact: &Digest, dest: &Path, reader: Reader) -> Result<Linked> {
        let tree = self.tree(artifact)?;
        self.verify_objects(artifact, &tree)?;
        self.fill(&tree, dest, reader.ways(&tree))?;
        let stamp = |entry: &Entry| {
            let path = dest.join(&entry.path);
            fs::symlink_metadata(&path).map(|meta| Stamp::of(&meta)).map_err(StoreError::io("look at", path))
        };
        let stamps = tree.entries().iter().map(stamp).collect::<Result<_>>()?;
        Ok(Linked { artifact: *artifact, path: dest.to_owned(), stamps })
    }

    fn fill(&self, tree: &Tree, dest: &Path, mut ways: Ways) -> Result<()> {
        make_empty(dest)?;
        let dirs = directories(tree, dest);
        for dir in &dirs {
            fs::create_dir_all(dir).map_err(StoreError::io("create", dir))?;
        }
        for entry in tree.entries() {
            let path = dest.join(&entry.path);
            let placed = ways.place(&self.object_path(&entry.digest), &path, entry.exec);
            placed.map_err(StoreError::io("link or copy to", &path))?;
        }
        for dir in &dirs {
            clone::make_read_only(dir).map_err(StoreError::io("protect", dir))?;
        }
        Ok(())
    }

    /// After a job: which of the files that were put there are altered or gone, by content where it is not certain that
    /// nobody touched them. An object that was altered through its link is set aside, so that it is a miss from now on.
    /// Files added to the directory are no alteration.
    pub fn check_linked(&self, linked: &Linked) -> Result<Vec<String>> {
        let mut altered = Vec::new();
        let tree = self.tree(&linked.artifact)?;
        for (entry, before) in tree.entries().iter().zip(&linked.stamps) {
            let path = linked.path.join(&entry.path);
            let now = files::stat(&path)?;
            if now.as_ref().map(Stamp::of) == Some(*before) {
                continue;
            }
            if !has_content(&path, now, entry)? {
                altered.push(entry.path.clone());
            }
            // Whatever the file there is by now, this asks for the object it was a link of.
            self.holds_content(&entry.digest)?;
        }
        let gone = tree.empty_directories().filter(|path| !linked.path.join(path).is_dir());
        altered.extend(gone.map(|path| format!("{path}/")));
        Ok(altered)
    }
}

fn has_content(path: &Path, meta: Option<Metadata>, entry: &Entry) -> Result<bool> {
    match meta {
        Some(meta) if meta.is_file() && meta.len() == entry.size => {
            let (found, _) = files::hash(path).map_err(StoreError::io("read", path))?;
            Ok(found == entry.digest)
        }
        _ => Ok(false),
    }
}

fn make_empty(dest: &Path) -> Result<()> {
    fs::create_dir_all(dest).map_err(StoreError::io("create", dest))?;
    let mut there = fs::read_dir(dest).map_err(StoreError::io("read", dest))?;
    match there.next() {
        None => Ok(()),
        Some(_) => Err(StoreError::io("fill", dest)(io::Error::from(ErrorKind::DirectoryNotEmpty))),
    }
}

/// `dest` and every directory of the artifact.
fn directories(tree: &Tree, dest: &Path) -> BTreeSet<PathBuf> {
    let of_files = tree.entries().iter().flat_map(|entry| Path::new(&entry.path).ancestors().skip(1));
    let empty = tree.empty_directories().flat_map(|path| Path::new(path).ancestors());
    let below = of_files.chain(empty).filter(|dir| *dir != Path::new("")).map(|dir| dest.join(dir));
    below.chain([dest.to_owned()]).collect()
}
