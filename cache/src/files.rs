//! Writing files so that a crash at any point leaves the old or the new, and removing trees.

use std::fs::{self, DirEntry, File, Metadata, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

use crate::digest::Digest;
use crate::error::{Result, StoreError};
use crate::fault;

/// Mode of everything that is written once.
pub(crate) const READ_ONLY: u32 = 0o444;

/// The mtime of every object: 2000-01-01, an even second so that file systems with a grain of two
/// seconds keep it.
pub(crate) fn fixed_mtime() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(946_684_800)
}

/// Whether a file looks as [`seal`] left it.
pub(crate) fn is_sealed(meta: &Metadata, size: u64) -> bool {
    meta.is_file() && meta.len() == size && meta.modified().is_ok_and(|t| t == fixed_mtime())
}

/// Mode and mtime of an object.
pub(crate) fn stamp(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))?;
    file.set_modified(fixed_mtime())
}

/// Makes a file look like an object.
pub(crate) fn seal(path: &Path) -> Result<()> {
    let sealed = fault::point("seal a file").and_then(|()| stamp(&File::open(path)?, READ_ONLY));
    sealed.map_err(StoreError::io("seal", path))
}

/// Makes the content and stamps of a file durable.
pub(crate) fn sync_file(path: &Path) -> Result<()> {
    before_sync(path)?;
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("write", path))
}

/// Comes to the place at which a file is made durable, alone or with others.
pub(crate) fn before_sync(path: &Path) -> Result<()> {
    fault::point("make a file durable").map_err(StoreError::io("write", path))
}

/// The metadata of what is at `path` itself, or `None`.
pub(crate) fn stat(path: &Path) -> Result<Option<Metadata>> {
    absent_is_none(fs::symlink_metadata(path)).map_err(StoreError::io("look at", path))
}

/// The error for what is not what belongs there.
pub(crate) fn misplaced(path: PathBuf, wanted: &'static str) -> StoreError {
    let found = match stat(&path) {
        Ok(Some(meta)) if meta.is_dir() => "a directory",
        Ok(Some(meta)) if meta.is_file() => "a file",
        Ok(Some(meta)) if meta.is_symlink() => "a symbolic link to something else",
        _ => "something else",
    };
    StoreError::Misplaced { path, found, wanted }
}

/// The content of a plain file; `None` if there is none, also where something else is in the way.
pub(crate) fn read_plain(path: &Path) -> Result<Option<Vec<u8>>> {
    let read = || {
        let mut file = open(path)?;
        let mut bytes = Vec::new();
        if file.metadata()?.is_file() { file.read_to_end(&mut bytes).map(|_| Some(bytes)) } else { Ok(None) }
    };
    absent_is_none(read()).map(Option::flatten).map_err(StoreError::io("read", path))
}

/// Opens a file of the store for reading: at once, also if a fifo is in its place, and whatever its mode is, which says no
/// more than what it was written with.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let at_once = OFlags::NONBLOCK.bits() as i32;
    let open = || File::options().read(true).custom_flags(at_once).open(path);
    open().or_else(|error| {
        let shut = error.kind() == ErrorKind::PermissionDenied && fs::symlink_metadata(path).is_ok_and(|m| m.is_file());
        if shut && fs::set_permissions(path, Permissions::from_mode(READ_ONLY)).is_ok() { open() } else { Err(error) }
    })
}

/// Turns "there is none" into `None`.
pub(crate) fn absent_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

/// The entries of a directory; none if there is no directory.
pub(crate) fn list(dir: &Path) -> Result<impl Iterator<Item = io::Result<DirEntry>> + use<>> {
    let entries = absent_is_none(fs::read_dir(dir)).map_err(StoreError::io("read", dir))?;
    Ok(entries.into_iter().flatten())
}

/// Makes a directory of the store and its parents.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    let made = fault::point("make a directory").and_then(|()| fs::create_dir_all(path));
    made.map_err(|error| match path.ancestors().find(|path| path.is_file()) {
        Some(file) => misplaced(file.to_owned(), "a directory"),
        None => StoreError::io("create", path)(error),
    })
}

/// Comes to the place at which a directory is made durable, alone or with others.
pub(crate) fn before_sync_dir(path: &Path) -> Result<()> {
    fault::point("make a directory durable").map_err(StoreError::io("write", path))
}

/// Does what takes place in a directory, which is made if it is missing: most are there, and asking takes longer than failing.
pub(crate) fn in_dir<T>(dir: &Path, mut work: impl FnMut() -> io::Result<T>) -> Result<io::Result<T>> {
    match work() {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            make_dir(dir)?;
            Ok(work())
        }
        done => Ok(done),
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> Result<()> {
    before_sync_dir(path)?;
    match File::open(path).and_then(|dir| dir.sync_all()) {
        // Some file systems cannot do this to a directory, and one may write to a directory that one
        // may not read; there is nothing better to do then.
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::PermissionDenied) => Ok(()),
        other => other.map_err(StoreError::io("write", path)),
    }
}

/// A temporary file with this content, to be moved to its place.
pub(crate) fn temp_file(tmp: &Path, bytes: &[u8]) -> Result<NamedTempFile> {
    let mode = Permissions::from_mode(READ_ONLY);
    let made = in_dir(tmp, || tempfile::Builder::new().permissions(mode.clone()).tempfile_in(tmp))?;
    let written = made.and_then(|mut file| {
        fault::point("write a file")?;
        file.write_all(bytes)?;
        Ok(file)
    });
    written.map_err(StoreError::io("write a file in", tmp))
}

/// Writes `path` through a temporary file, replacing what is there: a reader sees the old or the
/// new, whole, also after a crash.
pub(crate) fn write_atomic(tmp: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    let file = temp_file(tmp, bytes)?;
    sync_file(file.path())?;
    make_dir(parent(path))?;
    fault::point("rename into place").map_err(StoreError::io("write", path))?;
    file.persist(path).map_err(|e| match e.error.kind() {
        ErrorKind::IsADirectory => misplaced(path.to_owned(), "a file"),
        _ => StoreError::io("write", path)(e.error),
    })?;
    Ok(())
}

/// The directory that a path is in.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if dir != Path::new("") => dir,
        _ => Path::new("."),
    }
}

/// Digest and size of a file. By reading: a file that is truncated while it is mapped would kill the process, and there is
/// none that nobody else can write to.
pub(crate) fn hash(path: &Path) -> io::Result<(Digest, u64)> {
    hash_through(&mut File::open(path)?, &mut io::sink())
}

/// Digest and size of what is left to read, all of which is written to `copy`.
pub(crate) fn hash_through(file: &mut File, copy: &mut impl Write) -> io::Result<(Digest, u64)> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; buffer_size(file)];
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finalize().into(), hasher.count())),
            Ok(count) => count,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let bytes = &buffer[..count];
        // Threads pay from about 128 KiB on.
        if count >= 1 << 17 {
            hasher.update_rayon(bytes)
        } else {
            hasher.update(bytes)
        };
        copy.write_all(bytes)?;
    }
}

/// Enough for the file, at most 4 MiB.
fn buffer_size(file: &File) -> usize {
    let len = file.metadata().map_or(0, |meta| meta.len());
    len.clamp(1 << 12, 1 << 22) as usize
}

/// Removes a directory or file with all that is in it, also where directories are read-only (as
/// those of [`crate::Store::link_into`] are). Nothing there is no error.
pub fn remove_tree(path: &Path) -> Result<()> {
    let Some(meta) = stat(path)? else { return Ok(()) };
    fault::point("remove").map_err(StoreError::io("remove", path))?;
    let removed = if meta.is_dir() {
        match fs::remove_dir_all(path) {
            Err(e) if e.kind() == ErrorKind::PermissionDenied => open_up(path).and_then(|()| fs::remove_dir_all(path)),
            other => other,
        }
    } else {
        fs::remove_file(path)
    };
    absent_is_none(removed).map(drop).map_err(StoreError::io("remove", path))
}

/// Lets the owner into a directory and all below it.
fn open_up(path: &Path) -> io::Result<()> {
    let mut dirs = vec![path.to_owned()];
    while let Some(dir) = dirs.pop() {
        fs::set_permissions(&dir, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                dirs.push(entry.path());
            }
        }
    }
    Ok(())
}
