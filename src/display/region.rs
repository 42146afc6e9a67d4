//! The last lines of a terminal, which are drawn again and again below what stays.
//!
//! The cursor rests below them, at the left: what the terminal itself shows there (`^C`) is wiped out with them, and moves
//! none of them. No line is as wide as the terminal, so that each is one row until the terminal gets narrower; how many rows
//! they are then is computed from their widths.

use std::io::Write;

use unicode_width::UnicodeWidthStr;

use crate::output::harmless;

/// Lines on a terminal, which come and go.
#[derive(Debug)]
pub(crate) struct Region<W> {
    out: W,
    /// The widths of the lines that are there.
    drawn: Vec<usize>,
}

impl<W: Write> Region<W> {
    /// None yet.
    pub(crate) fn new(out: W) -> Region<W> {
        Region { out, drawn: Vec::new() }
    }

    /// Puts `lines` in the place of those that are there, and `above` them, for good, more lines. All at once, so that
    /// nothing flickers; what a terminal does not take is let go.
    pub(crate) fn draw(&mut self, above: Option<&str>, lines: &[String], columns: usize) {
        let rows: usize = self.drawn.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum();
        let up = if rows > 0 { format!("\u{1b}[{rows}A\r\u{1b}[J") } else { String::new() };
        let all = above.into_iter().chain(lines.iter().map(String::as_str));
        let frame = all.fold(up, |frame, line| frame + line + "\n");
        self.drawn = lines.iter().map(|line| harmless(line, false).width()).collect();
        let _ = self.out.write_all(frame.as_bytes()).and_then(|()| self.out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_rows_are_wiped_out_as_there_are() {
        let mut region = Region::new(Vec::new());
        let lines = ["x".repeat(30), "y".repeat(9)];
        region.draw(Some("started"), &lines, 40);
        region.draw(None, &lines[1..], 40);
        region.draw(Some("done"), &lines, 40);
        region.draw(None, &[], 20);
        region.draw(Some("end"), &[], 20);
        let (x, y) = (&lines[0], &lines[1]);
        let wipe = |rows: usize| format!("\u{1b}[{rows}A\r\u{1b}[J");
        let expected = [
            format!("started\n{x}\n{y}\n"),
            format!("{}{y}\n", wipe(2)),
            format!("{}done\n{x}\n{y}\n", wipe(1)),
            wipe(3) + "end\n",
        ];
        assert_eq!(String::from_utf8(region.out).unwrap(), expected.concat());
    }
}
