//! One JSON object a line, for machines.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;

use super::screen::{Backlog, Place, Progress};
use crate::run::{Event, untimed};

/// A reader that takes so many bytes is slow, not gone.
const PIECE: usize = 4 << 10;

/// Events that wait for a reader. They are in the log of the run already, so that of a long line of them only its two ends
/// are kept; what could not be written there is kept itself.
#[derive(Debug, Default)]
pub(super) struct Lines(VecDeque<Stretch>);

/// Some lines.
#[derive(Debug)]
pub(super) enum Stretch {
    /// From the log.
    Logged(std::ops::Range<u64>),
    /// One that is not in it.
    Unlogged(Vec<u8>),
}

impl Backlog for Lines {
    type Item = Stretch;

    fn push(&mut self, event: &Event, place: Place) {
        match (place, self.0.back_mut()) {
            (Some(place), Some(Stretch::Logged(last))) if last.end == place.start => last.end = place.end,
            (Some(place), _) => self.0.push_back(Stretch::Logged(place)),
            (None, _) => self.0.extend(serde_json::to_vec(event).ok().map(Stretch::Unlogged)),
        }
    }

    fn pop(&mut self) -> Option<Stretch> {
        self.0.pop_front()
    }
}

/// Prints every event as a line of JSON; the last one is the summary.
pub(super) struct Json<W: Write> {
    log: File,
    out: BufWriter<Counted<W>>,
}

impl<W: Write> Json<W> {
    /// Prints to `out` what is in `log`.
    pub(super) fn new(log: File, out: W, progress: Progress) -> Json<W> {
        Json { log, out: BufWriter::with_capacity(PIECE, Counted { out, progress }) }
    }

    pub(super) fn show(&mut self, lines: Stretch) -> io::Result<()> {
        match lines {
            Stretch::Unlogged(line) => writeln_all(&mut self.out, &[&line])?,
            Stretch::Logged(place) => {
                let log = self.log.try_clone()?;
                let mut lines = BufReader::new(Section { log, place });
                let mut line = Vec::new();
                while lines.read_until(b'\n', &mut line)? > 0 {
                    writeln_all(&mut self.out, &[b"{", untimed(line.trim_ascii_end())])?;
                    line.clear();
                }
            }
        }
        self.out.flush()
    }
}

fn writeln_all(out: &mut impl Write, pieces: &[&[u8]]) -> io::Result<()> {
    pieces.iter().try_for_each(|piece| out.write_all(piece))?;
    out.write_all(b"\n")
}

/// Some bytes of a file that somebody else appends to.
struct Section {
    log: File,
    place: std::ops::Range<u64>,
}

impl Read for Section {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.place.end - self.place.start).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let count = self.log.read_at(&mut buffer[..most], self.place.start)?;
        self.place.start += count as u64;
        Ok(count)
    }
}

/// Tells of every piece that was taken.
struct Counted<W> {
    out: W,
    progress: Progress,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.progress.made();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
