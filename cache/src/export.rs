//! Giving artifacts to people.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clone;
use crate::digest::Digest;
use crate::error::{Result, StoreError};
use crate::files;
use crate::store::Store;
use crate::tree::{Entry, Tree};

/// How to export.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExportOptions {
    /// Overwrite files of a destination that this store did not fill. Files of other names stay.
    pub force: bool,
}

/// What an export did, by file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Written, because they were missing or differed.
    pub written: Vec<String>,
    /// Already there with the right content.
    pub unchanged: Vec<String>,
    /// Removed: a former export put them there, unedited since, and this artifact has no such file.
    pub removed: Vec<String>,
}

/// What the store remembers of a destination: that it filled it, and with what.
#[derive(Serialize, Deserialize)]
struct Ledger {
    dest: PathBuf,
    artifact: Digest,
    files: Vec<Entry>,
}

impl Store {
    /// Writes the artifact's files into the directory `dest`, as reflinks or copies, never as hard
    /// links, each one atomically. What an earlier export put there is brought up to date: deleted
    /// and changed files are restored. Other files in `dest` are left alone.
    ///
    /// # Errors
    /// [`crate::StoreError::Foreign`] if `dest` is not empty, was not filled by this store, does not
    /// hold the artifact already, and `force` is not set; [`crate::StoreError::Damaged`].
    pub fn export(&self, artifact: &Digest, dest: &Path, options: ExportOptions) -> Result<Exported> {
        let tree = self.tree(artifact)?;
        self.verify_objects(artifact, &tree)?;
        fs::create_dir_all(dest).map_err(StoreError::io("create", dest))?;
        let dest = fs::canonicalize(dest).map_err(StoreError::io("open", dest))?;
        let ledger = self.ledger_path(&dest);
        let before = self.read_ledger(&ledger, &dest)?;
        if before.is_none() && !options.force {
            refuse_foreign(&tree, &dest)?;
        }
        let mut done = Exported::default();
        let former = before.map(|ledger| ledger.files).unwrap_or_default();
        for entry in former.iter().filter(|entry| tree.get(&entry.path).is_none()) {
            remove_former(&dest, entry, &mut done)?;
        }
        // Noted before the files are there: an export that was cut off can be done again.
        let now = Ledger { dest: dest.clone(), artifact: *artifact, files: tree.entries().to_vec() };
        self.write_ledger(&ledger, &now)?;
        for entry in tree.entries() {
            self.export_file(entry, &dest, &mut done)?;
        }
        Ok(done)
    }

    fn export_file(&self, entry: &Entry, dest: &Path, done: &mut Exported) -> Result<()> {
        let path = dest.join(&entry.path);
        if is_exported(&path, entry)? {
            done.unchanged.push(entry.path.clone());
            return Ok(());
        }
        make_parents(dest, &entry.path)?;
        let written = write_twin(&self.object_path(&entry.digest), &path, entry.exec);
        written.map_err(StoreError::io("write", &path))?;
        done.written.push(entry.path.clone());
        Ok(())
    }

    fn ledger_path(&self, dest: &Path) -> PathBuf {
        let name = Digest::of(dest.as_os_str().as_encoded_bytes());
        self.root().join("exports").join(format!("{name}.json"))
    }

    fn read_ledger(&self, path: &Path, dest: &Path) -> Result<Option<Ledger>> {
        let bytes = files::read_plain(path)?;
        let ledger = bytes.and_then(|bytes| serde_json::from_slice::<Ledger>(&bytes).ok());
        Ok(ledger.filter(|ledger| ledger.dest == dest))
    }

    fn write_ledger(&self, path: &Path, ledger: &Ledger) -> Result<()> {
        // Without a ledger the next export to the same place may ask for `force`: no reason to refuse this
        // one, be it for a path that is not UTF-8 or a store that one may only read.
        let Ok(bytes) = serde_json::to_vec_pretty(ledger) else { return Ok(()) };
        match files::write_atomic(&self.tmp(), path, &bytes) {
            Err(StoreError::Io { error, .. })
                if matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) =>
            {
                Ok(())
            }
            written => written,
        }
    }
}

/// Whether the destination that this ledger is about is still there.
pub(crate) fn is_current(path: &Path) -> Result<bool> {
    let bytes = files::read_plain(path)?.unwrap_or_default();
    let ledger = serde_json::from_slice::<Ledger>(&bytes);
    Ok(ledger.is_ok_and(|ledger| ledger.dest.is_dir()))
}

/// The destination must be empty or hold the artifact already.
fn refuse_foreign(tree: &Tree, dest: &Path) -> Result<()> {
    let mut names = fs::read_dir(dest).map_err(StoreError::io("read", dest))?;
    let Some(first) = names.next() else { return Ok(()) };
    for entry in tree.entries() {
        if !is_exported(&dest.join(&entry.path), entry)? {
            let found = first.map_err(StoreError::io("read", dest))?.file_name();
            let found = found.to_string_lossy().into_owned();
            return Err(StoreError::Foreign { dest: dest.to_owned(), found });
        }
    }
    Ok(())
}

/// Whether a plain file with the entry's content and exec bit is there.
fn is_exported(path: &Path, entry: &Entry) -> Result<bool> {
    let Some(meta) = files::stat(path)? else { return Ok(false) };
    let exec = meta.permissions().mode() & 0o100 != 0;
    if !meta.is_file() || meta.len() != entry.size || exec != entry.exec {
        return Ok(false);
    }
    let (digest, _) = files::hash(path).map_err(StoreError::io("read", path))?;
    Ok(digest == entry.digest)
}

/// Removes a file that an earlier export left, and the directories that this empties.
fn remove_former(dest: &Path, entry: &Entry, done: &mut Exported) -> Result<()> {
    let path = dest.join(&entry.path);
    if !is_exported(&path, entry)? {
        return Ok(());
    }
    fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
    done.removed.push(entry.path.clone());
    for dir in path.ancestors().skip(1).take_while(|dir| *dir != dest) {
        if fs::remove_dir(dir).is_err() {
            break;
        }
    }
    Ok(())
}

/// Makes the directories of a file below `dest`, never through a symbolic link, which may lead
/// anywhere.
fn make_parents(dest: &Path, rel: &str) -> Result<()> {
    let mut dir = dest.to_owned();
    for name in Path::new(rel).parent().into_iter().flatten() {
        dir.push(name);
        match files::stat(&dir)? {
            Some(meta) if meta.is_dir() => {}
            Some(_) => {
                let found = dir.strip_prefix(dest).unwrap_or(&dir).display().to_string();
                return Err(StoreError::Foreign { dest: dest.to_owned(), found });
            }
            None => fs::create_dir(&dir).map_err(StoreError::io("create", &dir))?,
        }
    }
    Ok(())
}

/// Writes a twin of the object that its owner may edit, with the modes the user's umask allows.
fn write_twin(object: &Path, path: &Path, exec: bool) -> io::Result<()> {
    let mode = Permissions::from_mode(if exec { 0o777 } else { 0o666 });
    let file = tempfile::Builder::new().prefix(".export-").permissions(mode).tempfile_in(files::parent(path))?;
    clone::reflink_or_copy(object, file.as_file())?;
    file.persist(path)?;
    Ok(())
}
