//! Copies of sources, for programs that may take long to read them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::clone::{cost, reflink};
use crate::digest::Digest;
use crate::error::{Result, StoreError};
use crate::files;
use crate::source::{Scan, SourceDigest, SourceKind};
use crate::store::Store;
use crate::tree::Entry;
use crate::walk::Found;

/// What came of taking a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshot {
    /// It is there, and has the content that was digested, by digest.
    Taken,
    /// The source has another content by now; what was written is gone again.
    Changed,
    /// The file system cannot share blocks, and the source is larger than what may be copied or than the room that is
    /// left; nothing is there.
    TooLarge,
}

impl Store {
    /// Makes `dest`, which is not there yet, a copy of a source as it was digested: later changes of the source do not
    /// reach it. Blocks are shared where the file system can do that (`reflink`), whatever the size; elsewhere a source of at
    /// most `limit` bytes, where a file counts for 32 KiB more than it has, is copied. Files are writable, and keep the owner's exec bit alone.
    ///
    /// The copy is hashed, so that no change goes unnoticed, whatever the stamps say.
    pub fn snapshot(&self, path: &Path, source: &SourceDigest, dest: &Path, limit: u64) -> Result<Snapshot> {
        let taken = match take(path, dest, limit) {
            Ok(Some(digest)) if digest == source.digest => return Ok(Snapshot::Taken),
            Ok(Some(_)) | Err(StoreError::Changing { .. }) => Snapshot::Changed,
            Ok(None) => Snapshot::TooLarge,
            Err(error) if error.is_out_of_room() => Snapshot::TooLarge,
            Err(error) => {
                files::remove_tree(dest)?;
                return Err(error);
            }
        };
        files::remove_tree(dest)?;
        Ok(taken)
    }
}

/// Copies, and digests the copy; `None` if that would be too much.
fn take(path: &Path, dest: &Path, limit: u64) -> Result<Option<Digest>> {
    let scan = gone_is_changing(path, Scan::of(path))?;
    let mut shares = true;
    let mut entries = Vec::with_capacity(scan.files.len());
    for file in &scan.files {
        let to = place(dest, scan.kind, file)?;
        let (from, to) = gone_is_changing(&file.path, open(file, &to))?;
        shares = shares && reflink(&from, &to);
        if !shares && cost(scan.bytes, scan.files.len()) > limit {
            return Ok(None);
        }
        entries.push(copy(file, from, to, shares)?);
    }
    if scan.kind == SourceKind::Folder {
        files::make_dir(dest)?;
        scan.empty.iter().try_for_each(|dir| files::make_dir(&dest.join(dir)))?;
    }
    Ok(Some(scan.digest_of(entries)))
}

fn place(dest: &Path, kind: SourceKind, file: &Found) -> Result<PathBuf> {
    let to = if kind == SourceKind::File { dest.to_owned() } else { dest.join(&file.rel) };
    files::make_dir(files::parent(&to))?;
    Ok(to)
}

fn open(file: &Found, to: &Path) -> Result<(File, File)> {
    let from = File::open(&file.path).map_err(StoreError::io("read", &file.path))?;
    let mode = if file.exec() { 0o777 } else { 0o666 };
    let to_file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(to);
    Ok((from, to_file.map_err(StoreError::io("write", to))?))
}

fn copy(file: &Found, mut from: File, mut to: File, shared: bool) -> Result<Entry> {
    let hashed =
        if shared { files::hash_through(&mut to, &mut io::sink()) } else { files::hash_through(&mut from, &mut to) };
    let (digest, size) = hashed.map_err(StoreError::io("copy", &file.path))?;
    Ok(Entry { digest, size, exec: file.exec(), path: file.rel.clone() })
}

/// What goes away before it is read changes.
fn gone_is_changing<T>(path: &Path, looked: Result<T>) -> Result<T> {
    match looked {
        Err(StoreError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
            Err(StoreError::Changing { path: path.to_owned() })
        }
        other => other,
    }
}
