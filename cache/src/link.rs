//! Handing artifacts to a job, and looking at them again afterwards.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::clone::{self, Ways};
use crate::digest::Digest;
use crate::error::{Result, StoreError};
use crate::files;
use crate::store::Store;
use crate::tree::{Entry, Tree};

impl Store {
    /// Makes `dest` (absent, or an empty directory) the artifact's content, read-only, for a job to
    /// read: each object is verified, then reflinked, else hard-linked, else copied. Never use it for
    /// a directory that somebody edits: a hard link is the object itself; see [`Store::export`].
    /// [`crate::remove_tree`] removes it again.
    ///
    /// # Errors
    /// [`crate::StoreError::Damaged`] if the artifact is not whole; what was altered is set aside.
    pub fn link_into(&self, artifact: &Digest, dest: &Path) -> Result<()> {
        let tree = self.tree(artifact)?;
        self.verify_objects(artifact, &tree)?;
        self.fill(&tree, dest, Ways::ALL)
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

    /// After a job: which files that [`Store::link_into`] put into `dir` are altered or gone. An
    /// object that was altered through its link is set aside, so that it is a miss from now on.
    /// Files added to `dir` are no alteration.
    pub fn check_linked(&self, artifact: &Digest, dir: &Path) -> Result<Vec<String>> {
        let mut altered = Vec::new();
        for entry in self.tree(artifact)?.entries() {
            if !is_intact(&dir.join(&entry.path), entry)? {
                altered.push(entry.path.clone());
            }
            // Whatever the file in `dir` is by now, this asks for the object it was a link of.
            self.holds(entry)?;
        }
        Ok(altered)
    }
}

fn is_intact(path: &Path, entry: &Entry) -> Result<bool> {
    match files::stat(path)? {
        Some(meta) if files::is_sealed(&meta, entry.size) => Ok(true),
        Some(meta) if meta.is_file() && meta.len() == entry.size => {
            let hashed = File::open(path).and_then(|mut file| files::hash_read(&mut file));
            let (found, _) = hashed.map_err(StoreError::io("read", path))?;
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

/// `dest` and every directory that the files need.
fn directories(tree: &Tree, dest: &Path) -> BTreeSet<PathBuf> {
    let mut dirs = BTreeSet::from([dest.to_owned()]);
    for entry in tree.entries() {
        let above = Path::new(&entry.path).ancestors().skip(1);
        dirs.extend(above.filter(|dir| *dir != Path::new("")).map(|dir| dest.join(dir)));
    }
    dirs
}
