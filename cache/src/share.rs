//! Stores that a group of users has in common.
//!
//! Everybody in the group may do everything: directories are setgid, so that what is made in them has their group, and
//! the group gets the permissions that the owner has. For what a run makes later, and what the programs make that it
//! starts, the process's umask sees to that ([`Store::open_to_group`]).

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::OnceLock;

use rustix::fs::Mode;
use rustix::process::umask;

use crate::areas::children;
use crate::error::{Result, StoreError};
use crate::files;
use crate::format::Access;
use crate::layout::AREAS;
use crate::store::{Store, write_version};

const SETGID: u32 = 0o2000;

/// The user's own umask, once [`Store::open_to_group`] has set another.
static OWN_UMASK: OnceLock<u32> = OnceLock::new();

impl Store {
    /// Opens the store to its group, or to the group of that number: everything in it, and all that is made later.
    /// Tells how many files and directories were changed. Done again, it mends what others closed.
    ///
    /// # Errors
    /// [`StoreError::Busy`] while a run goes on; something that belongs to another user, named.
    pub fn share(&self, group: Option<u32>) -> Result<(Store, u64)> {
        let _lock = self.try_lock_exclusive()?;
        for area in AREAS {
            files::make_dir(&self.root().join(area))?;
        }
        write_version(self.root(), Access::Group)?;
        let mut changed = 0;
        let mut paths = vec![self.root().to_owned()];
        while let Some(path) = paths.pop() {
            let Some(meta) = files::stat(&path)? else { continue };
            if meta.is_symlink() {
                // A part of the store may lie elsewhere.
                let elsewhere = fs::canonicalize(&path).ok().filter(|_| path.parent() == Some(self.root()));
                paths.extend(elsewhere);
                continue;
            }
            changed += u64::from(open(&path, &meta, group).map_err(StoreError::io("share", &path))?);
            if meta.is_dir() {
                paths.extend(children(&path)?);
            }
        }
        Ok((self.with_access(Access::Group), changed))
    }

    /// If the store is shared: what this process makes from now on, and what it starts makes, can be used by the
    /// group, whatever the user's umask. For others that goes on to hold, and for what [`Store::export`] writes.
    pub fn open_to_group(&self) {
        if self.access() == Access::Group {
            let own = umask(Mode::RWXO);
            umask(own - Mode::RWXG);
            OWN_UMASK.get_or_init(|| own.as_raw_mode());
        }
    }
}

/// The mode that the user's own umask gives what is to have this one.
pub(crate) fn own_mode(mode: u32) -> u32 {
    mode & !OWN_UMASK.get().copied().unwrap_or(0)
}

/// Gives the group what the owner may do; says whether that was a change.
fn open(path: &Path, meta: &Metadata, group: Option<u32>) -> std::io::Result<bool> {
    let before = meta.mode() & 0o7777;
    let mode = before | (before & 0o700) >> 3 | if meta.is_dir() { SETGID } else { 0 };
    let group = group.filter(|group| *group != meta.gid());
    if group.is_some() {
        chown(path, None, group)?;
    }
    // After the group, for that takes setgid away.
    if group.is_some() || mode != before {
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok(group.is_some() || mode != before)
}
