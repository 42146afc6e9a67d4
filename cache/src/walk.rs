//! Finding the files of a directory, without recursion.

use std::fs::{self, FileType, Metadata, Permissions};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};

/// A plain file or a directory in a directory.
#[derive(Debug)]
pub(crate) struct Found {
    /// Relative to the directory walked, with `/` between names.
    pub(crate) rel: String,
    pub(crate) path: PathBuf,
    pub(crate) meta: Metadata,
}

impl Found {
    /// Whether the owner may execute it.
    pub(crate) fn exec(&self) -> bool {
        self.meta.mode() & 0o100 != 0
    }
}

/// What is in a directory.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// Sorted.
    pub(crate) files: Vec<Found>,
    /// Sorted, with the directory itself, whose name is "".
    pub(crate) dirs: Vec<Found>,
    /// The directories below it that nothing is in. They are no part of a source's digest: keys were made without them.
    pub(crate) empty: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    Refuse,
    Follow,
}

struct Dir {
    path: PathBuf,
    rel: String,
    /// Device and inode of this directory and those above it, to notice a loop.
    chain: Vec<(u64, u64)>,
}

/// What is in a directory of ours; only plain files and directories are allowed, and
/// directories that shut their owner out (copied from a read-only input) are opened.
pub(crate) fn staged(dir: &Path) -> Result<Walked> {
    walk(dir, Links::Refuse)
}

/// What is in a directory outside; symbolic links are followed.
pub(crate) fn outside(dir: &Path) -> Result<Walked> {
    walk(dir, Links::Follow)
}

fn walk(top: &Path, links: Links) -> Result<Walked> {
    let mut found = Walked::default();
    let mut dirs = vec![Dir { path: top.to_owned(), rel: String::new(), chain: Vec::new() }];
    while let Some(mut dir) = dirs.pop() {
        let meta = enter(&mut dir, links)?;
        let mut names = fs::read_dir(&dir.path).map_err(StoreError::io("read", &dir.path))?.peekable();
        if names.peek().is_none() && !dir.rel.is_empty() {
            found.empty.push(dir.rel.clone());
        }
        for name in names {
            let path = name.map_err(StoreError::io("read", &dir.path))?.path();
            let rel = relative(&dir, &path)?;
            let meta = look(&path, links)?;
            if meta.is_dir() {
                dirs.push(Dir { path, rel, chain: dir.chain.clone() });
            } else if meta.is_file() {
                found.files.push(Found { rel, path, meta });
            } else {
                return Err(not_plain(&path, meta.file_type()));
            }
        }
        found.dirs.push(Found { rel: dir.rel, path: dir.path, meta });
    }
    found.files.sort_by(|a, b| a.rel.cmp(&b.rel));
    found.dirs.sort_by(|a, b| a.rel.cmp(&b.rel));
    Ok(found)
}

fn enter(dir: &mut Dir, links: Links) -> Result<Metadata> {
    let meta = fs::metadata(&dir.path).map_err(StoreError::io("read", &dir.path))?;
    let id = (meta.dev(), meta.ino());
    if dir.chain.contains(&id) {
        return Err(StoreError::Loop { path: dir.path.clone() });
    }
    dir.chain.push(id);
    if links == Links::Refuse && meta.mode() & 0o700 != 0o700 {
        let open = Permissions::from_mode(meta.mode() | 0o700);
        fs::set_permissions(&dir.path, open).map_err(StoreError::io("open up", &dir.path))?;
    }
    Ok(meta)
}

fn relative(dir: &Dir, path: &Path) -> Result<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| StoreError::NotUtf8 { path: path.to_owned() })?;
    Ok(if dir.rel.is_empty() { name.to_owned() } else { format!("{}/{name}", dir.rel) })
}

fn look(path: &Path, links: Links) -> Result<Metadata> {
    let meta = match links {
        Links::Refuse => fs::symlink_metadata(path),
        Links::Follow => fs::metadata(path),
    };
    meta.map_err(StoreError::io("read", path))
}

/// The error for what is neither a plain file nor a directory.
pub(crate) fn not_plain(path: &Path, kind: FileType) -> StoreError {
    let what = match kind {
        k if k.is_symlink() => "symbolic link",
        k if k.is_socket() => "socket",
        k if k.is_fifo() => "fifo",
        k if k.is_block_device() || k.is_char_device() => "device",
        k if k.is_dir() => "directory",
        _ => "special file",
    };
    StoreError::NotPlain { path: path.to_owned(), what }
}
