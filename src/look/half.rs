//! The lines of one half of a dataset or of latents: what `nodes/src/artifacts/samples/` writes.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead};

use serde::Deserialize;

/// The part of a line that is told.
#[derive(Debug, Deserialize)]
struct Line {
    text: String,
    framing: Option<Framing>,
    #[serde(default = "once")]
    repeats: u64,
    #[serde(default)]
    flip: bool,
}

#[derive(Debug, Deserialize)]
struct Framing {
    size: [u64; 2],
    original: [u64; 2],
}

fn once() -> u64 {
    1
}

/// What the lines say.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// How many there are.
    pub(super) count: u64,
    /// How many samples an epoch has: repeats and mirrored ones counted.
    pub(super) epoch: u64,
    /// Samples by size, where the lines have it: `640×384`.
    pub(super) sizes: BTreeMap<String, u64>,
    /// Files by size, where the lines have it.
    pub(super) originals: BTreeMap<String, u64>,
    /// The first captions.
    pub(super) first: Vec<String>,
    /// Captions that are empty.
    pub(super) empty: u64,
    /// Of each distinct caption a hash.
    pub(super) distinct: HashSet<u64>,
    /// Where the samples lie, in their order: an index of `files`, and a row there.
    pub(super) places: Vec<(u32, u32)>,
    /// The sizes that have a file of their own, in the order in which they come; none where all are squares of one file.
    pub(super) files: Vec<[u64; 2]>,
    rows: Vec<u32>,
}

/// Captions that are kept.
const FIRST: usize = 5;

impl Lines {
    pub(super) fn read(lines: impl BufRead) -> io::Result<Lines> {
        let mut read = Lines::default();
        for line in lines.lines() {
            read.add(serde_json::from_str(&line?)?);
        }
        Ok(read)
    }

    fn add(&mut self, line: Line) {
        self.count += 1;
        self.epoch += line.repeats * (1 + u64::from(line.flip));
        self.empty += u64::from(line.text.trim().is_empty());
        let mut hash = DefaultHasher::new();
        line.text.hash(&mut hash);
        self.distinct.insert(hash.finish());
        if self.first.len() < FIRST {
            self.first.push(line.text);
        }
        self.place(line.framing);
    }

    fn place(&mut self, framing: Option<Framing>) {
        let Some(Framing { size, original }) = framing else {
            return self.places.push((0, self.count as u32 - 1));
        };
        let shown = |[width, height]: [u64; 2]| format!("{width}×{height}");
        *self.sizes.entry(shown(size)).or_default() += 1;
        *self.originals.entry(shown(original)).or_default() += 1;
        let file = self.files.iter().position(|known| *known == size).unwrap_or_else(|| {
            self.files.push(size);
            self.rows.push(0);
            self.files.len() - 1
        });
        self.places.push((file as u32, self.rows[file]));
        self.rows[file] += 1;
    }

    /// The name of the file of tensors that a sample of this half lies in.
    pub(super) fn file(&self, half: &str, file: u32) -> String {
        match self.files.get(file as usize) {
            Some([width, height]) => format!("{half}.{width}x{height}.safetensors"),
            None => format!("{half}.safetensors"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_placed() {
        let framed = |text: &str, size: [u64; 2]| {
            format!("{{\"text\":\"{text}\",\"framing\":{{\"size\":{size:?},\"original\":[100,50],\"crop\":[0,0]}}}}\n")
        };
        let text = framed("a", [8, 4]) + &framed("b", [4, 8]) + &framed("a", [8, 4]);
        let lines = Lines::read(text.as_bytes()).unwrap();
        assert_eq!((lines.count, lines.distinct.len(), lines.empty), (3, 2, 0));
        assert_eq!(lines.places, [(0, 0), (1, 0), (0, 1)]);
        assert_eq!(lines.file("train", 1), "train.4x8.safetensors");
        assert_eq!(lines.sizes["8×4"], 2);
        let plain = Lines::read("{\"text\":\"\",\"repeats\":3,\"flip\":true}\n{\"text\":\"x\"}\n".as_bytes()).unwrap();
        assert_eq!((plain.epoch, plain.empty, plain.file("held_out", 0)), (7, 1, "held_out.safetensors".to_owned()));
        assert!(Lines::read("{}\n".as_bytes()).is_err());
    }
}
