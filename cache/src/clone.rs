//! Giving a file another name or another copy, the cheapest way the file system has.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::{fault, files};

/// Makes `to` share the blocks of `from` until one is written to. False where that cannot be.
#[cfg(target_os = "linux")]
pub(crate) fn reflink(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

/// No such call here; a copy may still be one, inside the system's copying.
#[cfg(not(target_os = "linux"))]
pub(crate) fn reflink(_from: &File, _to: &File) -> bool {
    false
}

/// Makes `to`, new and empty, the content of `from`.
pub(crate) fn reflink_or_copy(from: &Path, to: &File) -> io::Result<()> {
    let mut from = File::open(from)?;
    if !reflink(&from, to) {
        io::copy(&mut from, &mut &*to)?;
    }
    Ok(())
}

/// What copying costs, in bytes: making a file takes about as long as writing this much.
pub(crate) fn cost(bytes: u64, files: usize) -> u64 {
    bytes.saturating_add((files as u64) << 15)
}

/// Which ways are still worth trying for one directory: what failed once for want of support fails
/// again for every file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ways {
    pub(crate) reflink: bool,
    pub(crate) hard_link: bool,
}

impl Ways {
    pub(crate) const ALL: Ways = Ways { reflink: true, hard_link: true };

    /// Places a read-only twin of `object` at `dest`, which is not there yet.
    pub(crate) fn place(&mut self, object: &Path, dest: &Path, exec: bool) -> io::Result<()> {
        fault::point("link or copy an input")?;
        // An object's own mode has no exec bit, so an executable needs an inode of its own.
        let mode = if exec { 0o555 } else { files::READ_ONLY };
        if self.reflink {
            if try_reflink(object, dest, mode)? {
                return Ok(());
            }
            self.reflink = false;
        }
        if self.hard_link && !exec && self.try_hard_link(object, dest)? {
            return Ok(());
        }
        let to = create(dest)?;
        io::copy(&mut File::open(object)?, &mut &to)?;
        files::stamp(&to, mode)
    }

    fn try_hard_link(&mut self, object: &Path, dest: &Path) -> io::Result<bool> {
        match fs::hard_link(object, dest) {
            Ok(()) => Ok(true),
            Err(error) => self.after_failed_link(error).map(|()| false),
        }
    }

    /// Goes on, with a copy, where links are what failed.
    fn after_failed_link(&mut self, error: io::Error) -> io::Result<()> {
        use ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
        match error.kind() {
            // Only this object has as many names as the file system allows.
            TooManyLinks => Ok(()),
            // Another file system, or one without links, or links to others' files are forbidden.
            CrossesDevices | PermissionDenied | Unsupported => {
                self.hard_link = false;
                Ok(())
            }
            _ => Err(error),
        }
    }
}

fn try_reflink(object: &Path, dest: &Path, mode: u32) -> io::Result<bool> {
    let to = create(dest)?;
    if reflink(&File::open(object)?, &to) {
        files::stamp(&to, mode)?;
        return Ok(true);
    }
    fs::remove_file(dest)?;
    Ok(false)
}

fn create(dest: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(dest)
}

/// Gives a directory the mode that inputs have.
pub(crate) fn make_read_only(dir: &Path) -> io::Result<()> {
    fs::set_permissions(dir, Permissions::from_mode(0o555))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// Places an object, allowed only these ways, and tells whether the inode is the object's.
    fn place(mut ways: Ways, exec: bool) -> (bool, u32) {
        let dir = tempfile::tempdir().unwrap();
        let (object, dest) = (dir.path().join("object"), dir.path().join("dest"));
        fs::write(&object, "content").unwrap();
        files::seal(&object).unwrap();
        ways.place(&object, &dest, exec).unwrap();
        assert_eq!(fs::read(&dest).unwrap(), b"content");
        let (object, dest) = (fs::metadata(object).unwrap(), fs::metadata(dest).unwrap());
        assert!(files::is_sealed(&dest, 7), "as the look afterwards expects it");
        (object.ino() == dest.ino(), dest.mode() & 0o777)
    }

    #[test]
    fn each_way_gives_a_read_only_twin() {
        let copy = Ways { reflink: false, hard_link: false };
        let link = Ways { reflink: false, hard_link: true };
        assert_eq!(place(copy, false), (false, 0o444));
        assert_eq!(place(link, false), (true, 0o444));
        assert_eq!(place(Ways::ALL, false).1, 0o444);
        for ways in [copy, link, Ways::ALL] {
            assert_eq!(place(ways, true), (false, 0o555), "an executable is an inode of its own");
        }
    }

    #[test]
    fn what_failed_for_want_of_support_is_not_tried_again() {
        let copied = |error| {
            let mut ways = Ways::ALL;
            let go_on = ways.after_failed_link(io::Error::from(error)).is_ok();
            (go_on, ways.hard_link)
        };
        assert_eq!(copied(ErrorKind::TooManyLinks), (true, true));
        assert_eq!(copied(ErrorKind::CrossesDevices), (true, false));
        assert_eq!(copied(ErrorKind::PermissionDenied), (true, false));
        assert_eq!(copied(ErrorKind::StorageFull), (false, true));
    }
}
