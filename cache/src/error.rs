//! What can go wrong in a store, saying where and what to do.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{Digest, Key};

/// The store's results.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("{doing} `{}`: {error}{}", path.display(), hint(error))]
    Io {
        /// What was tried, such as "read".
        doing: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said. The message holds it, so that it is no source of its own.
        error: io::Error,
    },
    /// The store is of another format.
    #[error("open `{}`: it is a store of format `{found}` and this program knows `{known}`; use another directory, or the program that made it", root.display())]
    Version {
        /// The store's directory.
        root: PathBuf,
        /// What its `version` file says.
        found: String,
        /// What it should say.
        known: &'static str,
    },
    /// The directory holds something else.
    #[error("open `{}`: it is not a store and not empty (it holds `{found}`); name a new or empty directory", root.display())]
    NotAStore {
        /// The directory.
        root: PathBuf,
        /// A name in it that no store has.
        found: String,
    },
    /// Something stands in the store where something else belongs.
    #[error("`{}` is {found}, where {wanted} belongs; `hyper-flow cache verify --repair` mends it", path.display())]
    Misplaced {
        /// Where.
        path: PathBuf,
        /// What is there, such as "a file".
        found: &'static str,
        /// What should be there.
        wanted: &'static str,
    },
    /// The store cannot be written by this user.
    #[error("the store `{}` cannot be written by you: `{}`: {error}", root.display(), path.display())]
    Unwritable {
        /// The store's directory.
        root: PathBuf,
        /// What cannot be written.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Something that is neither a plain file nor a directory.
    #[error("`{}` is a {what}; only plain files and directories can be kept", path.display())]
    NotPlain {
        /// Where it is.
        path: PathBuf,
        /// What it is, such as "symbolic link".
        what: &'static str,
    },
    /// A name that is not UTF-8.
    #[error("`{}` has a name that is not UTF-8; rename it", path.display())]
    NotUtf8 {
        /// Where it is.
        path: PathBuf,
    },
    /// A directory reaches itself through a symbolic link.
    #[error("`{}` leads back to a directory that holds it; remove that symbolic link", path.display())]
    Loop {
        /// The symbolic link.
        path: PathBuf,
    },
    /// An artifact that is not whole any more. Whatever was altered is set aside, so that the next
    /// [`crate::Store::lookup`] misses and the artifact is made anew.
    #[error("artifact {} is missing or altered at `{path}`; it will be made anew by the next run", artifact.short())]
    Damaged {
        /// The artifact.
        artifact: Digest,
        /// The file in it, or "" for its manifest.
        path: String,
    },
    /// An artifact without this file.
    #[error("artifact {} has no file `{path}`", artifact.short())]
    NoSuchFile {
        /// The artifact.
        artifact: Digest,
        /// The path asked for.
        path: String,
    },
    /// A preimage that is not the key's.
    #[error("publish {}: the preimage given derives the key {}", key.short(), derived.short())]
    WrongPreimage {
        /// The key asked for.
        key: Key,
        /// The preimage's key.
        derived: Key,
    },
    /// A pin that cannot be read: what it keeps is not known, so that nothing may be collected.
    #[error("`{}` is no pin ({why}), so that what it kept is not known; pin that again, or have it set aside (cache verify --repair)", path.display())]
    NoPin {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// An export would overwrite what is not its own.
    #[error("export to `{}`: it would overwrite {}", dest.display(), listed(files))]
    Foreign {
        /// The destination.
        dest: PathBuf,
        /// The files there, each with what it is.
        files: Vec<String>,
    },
    /// A source that the store is in.
    #[error("`{}` holds the store `{}`, which every run changes; keep that elsewhere, or name what is needed", path.display(), root.display())]
    HoldsStore {
        /// The source.
        path: PathBuf,
        /// The store's directory.
        root: PathBuf,
    },
    /// A file changed while it was read.
    #[error("`{}` changes while it is read; wait until it is written", path.display())]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else holds the lock.
    #[error("{what} is in use by {holder}")]
    Busy {
        /// What is locked.
        what: String,
        /// Who holds it, as told to the lock.
        holder: String,
    },
}

impl StoreError {
    pub(crate) fn io(doing: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |error| StoreError::Io { doing, path, error }
    }

    /// Whether it is for want of room that something could not be written.
    pub fn is_out_of_room(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        matches!(self, StoreError::Io { error, .. } if matches!(error.kind(), FileTooLarge | QuotaExceeded | StorageFull))
    }

    /// Whether the system refused for want of permission.
    pub(crate) fn is_forbidden(&self) -> bool {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let StoreError::Io { error, .. } = self else { return false };
        matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
    }
}

/// The first few of many.
fn listed(files: &[String]) -> String {
    const SHOWN: usize = 5;
    let first = files.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("; ");
    match files.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first}; and {more} more"),
    }
}

/// What a person can do about it.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull => "; free some space, or collect what is not needed (cache gc)",
        io::ErrorKind::QuotaExceeded => "; the disk quota is used up: free some, or use another store",
        io::ErrorKind::PermissionDenied => "; check who owns it, and who may use it",
        io::ErrorKind::ReadOnlyFilesystem => "; use a store on a file system that can be written",
        io::ErrorKind::FileTooLarge => "; no file may be so large here: raise the limit (`ulimit -f`)",
        _ if is_of_open_files(error) => "; raise the limit of open files (`ulimit -n`), or do less at once",
        _ => "",
    }
}

/// Whether there are too many of them.
fn is_of_open_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    Errno::from_io_error(error).is_some_and(|error| error == Errno::MFILE || error == Errno::NFILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named_by_how_they_are_set() {
        use rustix::io::Errno;
        for (errno, names) in [(Errno::MFILE, "ulimit -n"), (Errno::FBIG, "ulimit -f")] {
            let said = StoreError::io("write", "/x")(errno.into()).to_string();
            assert!(said.contains(names), "{said}");
        }
    }

    #[test]
    fn messages_say_where_and_what_to_do() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let said = StoreError::io("write", "/s/objects/ab")(full).to_string();
        assert!(said.starts_with("write `/s/objects/ab`: ") && said.ends_with("(cache gc)"), "{said}");
        let gone = io::Error::from(io::ErrorKind::NotFound);
        let said = StoreError::io("read", "/x")(gone).to_string();
        assert!(said.starts_with("read `/x`: ") && !said.contains(';'), "{said}");
    }
}
