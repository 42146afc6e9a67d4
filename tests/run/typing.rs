//! What somebody does at a terminal.

use std::io::{Read, Write};

use rustix::termios::{Winsize, tcsetwinsize};

use crate::pty::Pty;

impl Pty {
    /// As if somebody typed it.
    pub(crate) fn type_in(&self, keys: &[u8]) {
        (&self.reader).write_all(keys).unwrap();
    }

    /// As if somebody dragged the border of its window.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        tcsetwinsize(&self.reader, Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    /// What is printed on it until that contains `text`.
    pub(crate) fn read_until(&self, text: &str) -> String {
        let (mut all, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&all).contains(text) {
            let count = (&self.reader).read(&mut piece).unwrap_or(0);
            assert!(count > 0, "{text} never comes: {}", String::from_utf8_lossy(&all));
            all.extend_from_slice(&piece[..count]);
        }
        String::from_utf8_lossy(&all).into_owned()
    }
}
