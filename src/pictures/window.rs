//! How much room a terminal has.

use rustix::termios::tcgetwinsize;

/// A terminal's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Characters in a line.
    pub(crate) columns: u32,
    /// Lines.
    pub(crate) rows: u32,
    /// Width and height of a character in pixels.
    pub(crate) cell: [u32; 2],
}

/// What terminals that do not say it have at least.
const CELL: [u32; 2] = [8, 16];

impl Window {
    /// That of standard output, if it is a terminal that says how large it is.
    pub(crate) fn of_stdout() -> Option<Window> {
        let size = tcgetwinsize(std::io::stdout()).ok()?;
        let [columns, rows, width, height] = [size.ws_col, size.ws_row, size.ws_xpixel, size.ws_ypixel].map(u32::from);
        if columns == 0 || rows == 0 {
            return None;
        }
        let cell = [width / columns, height / rows];
        Some(Window { columns, rows, cell: if cell.contains(&0) { CELL } else { cell } })
    }

    /// Width and height that a picture may have, in characters: a margin to the left, and lines for its name and the prompt.
    pub(crate) fn room(self) -> [u32; 2] {
        [self.columns.saturating_sub(2).max(1), self.rows.saturating_sub(3).max(1)]
    }
}
