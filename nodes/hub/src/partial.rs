//! A file that is not there yet.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Hash, HubError, Watch};

/// What has come of a file so far. It survives the process.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    file: File,
    len: u64,
    /// Whether its bytes may be of several files.
    mixed: bool,
}

impl Partial {
    /// What there is of a file that will be at `to`.
    pub(crate) fn open(to: &Path) -> Result<Partial, HubError> {
        let folder = to.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).map_err(HubError::io("create", folder))?;
        let path = name(to);
        remove_odd(&path)?;
        let file = File::options().create(true).append(true).open(&path).map_err(HubError::io("write", &path))?;
        let len = file.metadata().map_err(HubError::io("look at", &path))?.len();
        Ok(Partial { path, file, len, mixed: len > 0 })
    }

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether its bytes may be of several files: those of another answer, or of a process that was killed.
    pub(crate) fn is_mixed(&self) -> bool {
        self.mixed
    }

    /// Another answer begins.
    pub(crate) fn next_answer(&mut self) {
        self.mixed |= self.len > 0;
    }

    /// Throws away what has come.
    pub(crate) fn restart(&mut self) -> Result<(), HubError> {
        self.file.set_len(0).map_err(HubError::io("empty", &self.path))?;
        (self.len, self.mixed) = (0, false);
        Ok(())
    }

    /// Appends.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        self.file.write_all(bytes).map_err(HubError::io("write", &self.path))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// The hash of what has come, of the kind of `like`.
    pub(crate) fn hash(&self, like: &Hash, watch: &dyn Watch) -> Result<Hash, HubError> {
        hash_of(&self.path, like, watch)
    }

    /// Gives it its name. Flushed first, so that no crash of the machine leaves the name without the bytes.
    pub(crate) fn publish(self, to: &Path) -> Result<(), HubError> {
        self.file.sync_all().map_err(HubError::io("write", &self.path))?;
        fs::rename(&self.path, to).map_err(HubError::io("rename", &self.path))
    }

    /// Deletes it.
    pub(crate) fn discard(self) -> Result<(), HubError> {
        fs::remove_file(&self.path).map_err(HubError::io("delete", &self.path))
    }
}

/// Removes what is there and is no file: a pipe would be waited for, and a link written through.
pub(crate) fn remove_odd(path: &Path) -> Result<(), HubError> {
    let removed = match fs::symlink_metadata(path).map(|found| found.file_type()) {
        Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
        Ok(kind) if !kind.is_file() => fs::remove_file(path),
        _ => Ok(()),
    };
    removed.map_err(HubError::io("delete", path))
}

/// What a file is called until it is whole.
pub(crate) fn name(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

/// The hash of a file, of the kind of `like`.
pub(crate) fn hash_of(path: &Path, like: &Hash, watch: &dyn Watch) -> Result<Hash, HubError> {
    let each = || if watch.cancelled() { Err(Stop::Cancelled) } else { Ok(()) };
    let hash = File::open(path)
        .and_then(|file| Ok((file.metadata()?.len(), file)))
        .map_err(Stop::Io)
        .and_then(|(size, file)| like.of(file, size, each));
    hash.map_err(|stop| match stop {
        Stop::Cancelled => HubError::Cancelled,
        Stop::Io(error) => HubError::io("read", path)(error),
    })
}

/// Why a file is not read to its end.
enum Stop {
    Cancelled,
    Io(std::io::Error),
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Stop {
        Stop::Io(error)
    }
}
