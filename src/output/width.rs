//! How wide what is printed may be.

use std::io;

use crate::display::takes_controls;

/// Columns of who reads no terminal, or one that does not say how wide it is.
const USUAL: usize = 80;

/// The columns of standard output.
pub(crate) fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(USUAL)
}

/// Whether it is a terminal that may know nothing but ASCII.
pub(crate) fn is_ascii() -> bool {
    !takes_controls()
}
