//! Digests of files and folders outside the store.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::digest::Digest;
use crate::error::{Result, StoreError};
use crate::files;
use crate::store::Store;
use crate::tree::{Entry, Tree};
use crate::walk::{self, Found, Walked};

/// A change within this time of another may leave mtime and ctime as they were: the coarsest clock
/// of the file systems in use (FAT's).
const GRAIN: Duration = Duration::from_secs(2);

/// Opening the index takes 1 to 3 ms (measured), as long as reading this much.
const WORTH_REMEMBERING: u64 = 16 << 20;

/// Likewise for opening so many small files.
const MANY_FILES: usize = 2_000;

/// A file that is written without pause is given up on after so many readings.
const ATTEMPTS: usize = 3;

/// Whether a source is one file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// One file: the digest is its content's.
    File,
    /// A folder: the digest is its [`crate::Tree`]'s.
    Folder,
}

/// The content of a file or folder outside the store, and what its files looked like when read.
#[derive(Debug, Clone)]
pub struct SourceDigest {
    /// By content: neither the path nor the top name is in it; of a folder, the names inside are. A
    /// file and a folder never have the same one.
    pub digest: Digest,
    /// File or folder.
    pub kind: SourceKind,
    /// Sum of the sizes.
    pub bytes: u64,
    /// How many files.
    pub files: u64,
    /// Over the stamps of all files and directories.
    fingerprint: Digest,
    /// Whether a later change would show in the stamps.
    settled: bool,
}

impl Store {
    /// Digests a file or folder by content. Symbolic links are followed. Large sources are not read
    /// again while every file's device, inode, size, mtime and ctime are those remembered and no
    /// time is so young that a later change might not show in it.
    ///
    /// # Errors
    /// A folder that holds the store; something missing or unreadable, a socket, fifo or device, a loop of links, a name that is not
    /// UTF-8, a file that changes while it is read; each named.
    pub fn digest_path(&self, path: &Path) -> Result<SourceDigest> {
        let mut attempt = 1;
        loop {
            let scan = Scan::of(path)?;
            self.refuse_itself(path, &scan)?;
            match self.digest_scan(&scan) {
                Err(StoreError::Changing { .. }) if attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    /// A folder that holds the store, in whatever way, is never the same twice.
    fn refuse_itself(&self, path: &Path, scan: &Scan) -> Result<()> {
        let id = |meta: &Metadata| (meta.dev(), meta.ino());
        let Ok(root) = fs::metadata(self.root()) else { return Ok(()) };
        match scan.dirs.iter().any(|dir| id(&dir.meta) == id(&root)) {
            true => Err(StoreError::HoldsStore { path: path.to_owned(), root: self.root().to_owned() }),
            false => Ok(()),
        }
    }

    /// Whether nobody touched the source since it was digested: whoever read it meanwhile has read this content. Any
    /// other stamp says no, also where the content is what it was, because it may have been another one in between. Where
    /// stamps are too young to tell, the content is looked at, too.
    ///
    /// What no stamp shows: a write through a memory map, and two changes within the grain of the file system's clock.
    pub fn untouched(&self, path: &Path, before: &SourceDigest) -> Result<bool> {
        changed_if_gone(self.is_untouched(path, before))
    }

    fn is_untouched(&self, path: &Path, before: &SourceDigest) -> Result<bool> {
        if Scan::of(path)?.fingerprint != before.fingerprint {
            return Ok(false);
        }
        Ok(before.settled || self.digest_path(path)?.digest == before.digest)
    }

    /// The source as it is now, if it has the content that was digested; `None` if it was changed.
    pub fn digest_again(&self, path: &Path, before: &SourceDigest) -> Result<Option<SourceDigest>> {
        let now = changed_if_gone(self.digest_path(path).map(Some))?;
        Ok(now.filter(|now| now.digest == before.digest))
    }

    fn digest_scan(&self, scan: &Scan) -> Result<SourceDigest> {
        let remembered = if scan.is_large() && scan.settled { self.recall(&scan.fingerprint) } else { None };
        let digest = match remembered {
            Some(digest) => digest,
            None => self.read_scan(scan)?,
        };
        Ok(SourceDigest {
            digest,
            kind: scan.kind,
            bytes: scan.bytes,
            files: scan.files.len() as u64,
            fingerprint: scan.fingerprint,
            settled: scan.settled,
        })
    }

    /// Reads what is not remembered, and remembers what was worth it.
    fn read_scan(&self, scan: &Scan) -> Result<Digest> {
        let mut fresh = Vec::new();
        let mut entries = Vec::with_capacity(scan.files.len());
        for file in &scan.files {
            let digest = self.read_file(file, scan, &mut fresh)?;
            let path = file.rel.clone();
            entries.push(Entry { digest, size: file.meta.len(), exec: file.exec(), path });
        }
        let digest = scan.digest_of(entries);
        if scan.settled && scan.is_large() {
            fresh.push((scan.fingerprint, digest));
        }
        self.remember(&fresh);
        Ok(digest)
    }

    fn read_file(&self, file: &Found, scan: &Scan, fresh: &mut Vec<(Digest, Digest)>) -> Result<Digest> {
        let memo = file.meta.len() >= WORTH_REMEMBERING && is_settled(&file.meta, scan.when);
        if !memo {
            return read_steadily(file);
        }
        let print = fingerprint(SourceKind::File, [file]);
        if let Some(digest) = self.recall(&print) {
            return Ok(digest);
        }
        let digest = read_steadily(file)?;
        fresh.push((print, digest));
        Ok(digest)
    }
}

/// A source that is not there any more is a changed one, and so is one that changes while it is read.
fn changed_if_gone<T: Default>(looked: Result<T>) -> Result<T> {
    match looked {
        Err(StoreError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        Err(StoreError::Changing { .. }) => Ok(T::default()),
        other => other,
    }
}

/// What a source looks like before it is read.
pub(crate) struct Scan {
    pub(crate) kind: SourceKind,
    pub(crate) files: Vec<Found>,
    dirs: Vec<Found>,
    /// The directories that nothing is in, which count for nothing.
    pub(crate) empty: Vec<String>,
    pub(crate) bytes: u64,
    fingerprint: Digest,
    /// From before the first stat: a change after it has this time or a later one.
    when: SystemTime,
    settled: bool,
}

impl Scan {
    pub(crate) fn of(path: &Path) -> Result<Scan> {
        Scan::at(path, SystemTime::now())
    }

    fn at(path: &Path, when: SystemTime) -> Result<Scan> {
        let meta = fs::metadata(path).map_err(StoreError::io("read", path))?;
        let (kind, Walked { files, dirs, empty }) = if meta.is_dir() {
            (SourceKind::Folder, walk::outside(path)?)
        } else if meta.is_file() {
            let file = Found { rel: String::new(), path: path.to_owned(), meta };
            (SourceKind::File, Walked { files: vec![file], ..Walked::default() })
        } else {
            return Err(walk::not_plain(path, meta.file_type()));
        };
        let bytes = files.iter().map(|file| file.meta.len()).sum();
        // A file that came and went shows in its directory.
        let seen = || files.iter().chain(&dirs);
        let settled = seen().all(|found| is_settled(&found.meta, when));
        let fingerprint = fingerprint(kind, seen());
        Ok(Scan { kind, bytes, fingerprint, when, settled, files, dirs, empty })
    }

    /// The digest of the source, whose files have these entries.
    pub(crate) fn digest_of(&self, entries: Vec<Entry>) -> Digest {
        match self.kind {
            SourceKind::File => entries[0].digest,
            SourceKind::Folder => Tree::new(entries).digest(),
        }
    }

    fn is_large(&self) -> bool {
        self.bytes >= WORTH_REMEMBERING || self.files.len() >= MANY_FILES
    }
}

/// Whether mtime and ctime lie so far back that a change from `when` on gives others. (ctime is the
/// one that a program cannot set.)
pub(crate) fn is_settled(meta: &Metadata, when: SystemTime) -> bool {
    let now = when.duration_since(UNIX_EPOCH).unwrap_or_default();
    let latest = now.saturating_sub(GRAIN).as_secs() as i64;
    meta.mtime() < latest && meta.ctime() < latest
}

/// The kind is in it, because a folder of one file and that file have different digests.
fn fingerprint<'a>(kind: SourceKind, seen: impl IntoIterator<Item = &'a Found>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[kind as u8]);
    for found in seen {
        hasher.update(&(found.rel.len() as u64).to_le_bytes());
        hasher.update(found.rel.as_bytes());
        for number in stamps(&found.meta) {
            hasher.update(&number.to_le_bytes());
        }
    }
    hasher.finalize().into()
}

/// Everything in a stat that a change of content or of the exec bit shows in.
pub(crate) type Stamps = [i64; 8];

/// Of a file.
pub(crate) fn stamps(meta: &Metadata) -> Stamps {
    [
        meta.dev() as i64,
        meta.ino() as i64,
        meta.len() as i64,
        i64::from(meta.mode()),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec(),
    ]
}

/// The digest of a file that is the same before and after.
fn read_steadily(found: &Found) -> Result<Digest> {
    let read = || {
        let mut file = File::open(&found.path)?;
        let (digest, size) = files::hash_through(&mut file, &mut io::sink())?;
        Ok((digest, size, file.metadata()?))
    };
    let (digest, size, after) = read().map_err(StoreError::io("read", &found.path))?;
    if size != found.meta.len() || stamps(&after) != stamps(&found.meta) {
        return Err(StoreError::Changing { path: found.path.clone() });
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: usize = WORTH_REMEMBERING as usize;

    /// A store, and a scan of a large file as it will be when its stamps are old enough.
    fn scanned(content: &[u8]) -> (tempfile::TempDir, Store, Scan) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let path = dir.path().join("large");
        fs::write(&path, content).unwrap();
        let scan = Scan::at(&path, SystemTime::now() + 10 * GRAIN).unwrap();
        (dir, store, scan)
    }

    #[test]
    fn a_large_settled_file_is_remembered_across_processes() {
        let (_dir, store, scan) = scanned(&vec![7; LARGE]);
        let digest = store.digest_scan(&scan).unwrap().digest;
        assert_eq!(digest, Digest::of(&vec![7; LARGE]));
        let again = Store::open(store.root()).unwrap();
        assert_eq!(again.recall(&scan.fingerprint), Some(digest));
    }

    #[test]
    fn what_is_remembered_is_not_read() {
        let (_dir, store, scan) = scanned(&vec![7; LARGE]);
        let planted = Digest::of(b"planted");
        store.remember(&[(scan.fingerprint, planted)]);
        assert_eq!(store.digest_scan(&scan).unwrap().digest, planted);
    }

    /// A write through a memory map may leave all stamps as they are: then the memo is wrong, as this planted one.
    #[test]
    fn a_paranoid_store_reads_what_is_remembered() {
        let (_dir, store, scan) = scanned(&vec![7; LARGE]);
        store.remember(&[(scan.fingerprint, Digest::of(b"planted"))]);
        assert_eq!(store.paranoid().digest_scan(&scan).unwrap().digest, Digest::of(&vec![7; LARGE]));
    }

    #[test]
    fn a_young_or_small_file_is_always_read() {
        let (dir, store, scan) = scanned(b"small");
        store.remember(&[(scan.fingerprint, Digest::of(b"planted"))]);
        assert_eq!(store.digest_scan(&scan).unwrap().digest, Digest::of(b"small"));
        fs::write(dir.path().join("large"), vec![7; LARGE]).unwrap();
        let young = Scan::of(&dir.path().join("large")).unwrap();
        assert!(!young.settled && young.is_large());
        store.remember(&[(young.fingerprint, Digest::of(b"planted"))]);
        assert_eq!(store.digest_scan(&young).unwrap().digest, Digest::of(&vec![7; LARGE]));
    }

    #[test]
    fn of_a_folder_only_the_changed_large_file_is_read() {
        let (dir, store, _) = scanned(b"");
        let folder = dir.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("large"), vec![7; LARGE]).unwrap();
        let later = SystemTime::now() + 10 * GRAIN;
        let before = Scan::at(&folder, later).unwrap();
        store.digest_scan(&before).unwrap();
        fs::write(folder.join("new"), "x").unwrap();
        let after = Scan::at(&folder, later).unwrap();
        assert_eq!(store.recall(&after.fingerprint), None);
        let large = fingerprint(SourceKind::File, &after.files[..1]);
        assert_eq!(store.recall(&large), Some(Digest::of(&vec![7; LARGE])));
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_named() {
        let (dir, store, scan) = scanned(b"before");
        fs::write(dir.path().join("large"), "after it was looked at").unwrap();
        let refused = store.digest_scan(&scan);
        assert!(matches!(refused, Err(StoreError::Changing { .. })), "{refused:?}");
    }
}
