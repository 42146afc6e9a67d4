//! A terminal of our own.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal. Dropped, it is closed, as when its window or the program around it ends.
pub(crate) struct Pty {
    pub(crate) reader: File,
    path: PathBuf,
}

impl Pty {
    /// Of the usual size.
    pub(crate) fn new() -> Pty {
        Pty::of_size(80, 24)
    }

    pub(crate) fn of_size(columns: u16, rows: u16) -> Pty {
        let reader = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&reader).unwrap();
        unlockpt(&reader).unwrap();
        tcsetwinsize(&reader, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let name = ptsname(&reader, Vec::new()).unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(name.to_bytes())).to_owned();
        Pty { reader: File::from(reader), path }
    }

    /// Starts a command on it.
    pub(crate) fn start(&self, command: &mut Command) -> Child {
        let end = || -> OwnedFd {
            rustix::fs::open(&self.path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap()
        };
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        // The terminal is open as long as anybody has it, and the command would.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        child
    }

    /// What a command prints on it, and its exit code.
    pub(crate) fn run(self, command: &mut Command) -> (Option<i32>, String) {
        let mut child = self.start(command);
        let text = self.read();
        (child.wait().unwrap().code(), text)
    }

    /// All that is printed on it, until nobody has it open any more.
    pub(crate) fn read(mut self) -> String {
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        // The last one who closes it makes an error of the next read.
        while let Ok(count @ 1..) = self.reader.read(&mut piece) {
            all.extend_from_slice(&piece[..count]);
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}
