//! One JSON object a line, for machines.

use std::io::Write;

use super::Display;
use crate::run::Event;

/// Prints every event as a line of JSON; the last one is the summary.
#[derive(Debug)]
pub struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    /// Prints to `out`.
    pub fn new(out: W) -> Self {
        Json { out }
    }
}

impl<W: Write + Send> Display for Json<W> {
    fn event(&mut self, event: &Event) {
        if let Ok(mut line) = serde_json::to_vec(event) {
            line.push(b'\n');
            let _ = self.out.write_all(&line).and_then(|()| self.out.flush());
        }
    }
}
