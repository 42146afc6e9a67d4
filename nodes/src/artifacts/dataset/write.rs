//! Writing a dataset while its pictures come in.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::RowWriter;
use tch::Kind;

use super::{HELD_OUT, IMAGES, Masks, TRAIN};
use crate::artifacts::samples::{Layout, Line};
use crate::worker::Context;
use crate::{NodeError, files};

/// Which pictures are held out.
pub(crate) enum Aside {
    /// A share of them, by the seed.
    Share(f64),
    /// Those that say so, in the order in which they came.
    These(Vec<bool>),
}

impl From<f64> for Aside {
    fn from(share: f64) -> Self {
        Self::Share(share)
    }
}

impl Aside {
    /// For each of `count` pictures whether it is held out.
    fn of(self, count: usize, seed: u64) -> Vec<bool> {
        let share = match self {
            Self::These(said) => return said,
            Self::Share(share) => share,
        };
        let order = Rng::at(seed, "dataset/split", 0).permutation(count as i64);
        let mut is_held_out = vec![false; count];
        let aside = (count as f64 * share).round() as usize;
        order[..aside].iter().for_each(|&i| is_held_out[i as usize] = true);
        is_held_out
    }
}

/// A dataset in the making. Which half a picture belongs to depends on how many there are: until that is known their
/// pixels lie one behind the other in a file of the job's scratch directory, the mask of each behind it.
pub(crate) struct Writer<'a> {
    context: &'a Context,
    channels: i64,
    /// Of a picture whose line has no framing.
    side: i64,
    masks: bool,
    path: PathBuf,
    pixels: BufWriter<File>,
    lines: Vec<Line>,
}

impl<'a> Writer<'a> {
    /// A dataset without pictures. Those whose lines have no framing will be squares of `side` pixels; `masks` says whether
    /// each will come with a mask.
    pub(crate) fn new(context: &'a Context, channels: i64, side: i64, masks: bool) -> Result<Self, NodeError> {
        if !matches!(channels, 1 | 3) {
            let message = format!("pictures have 1 channel (grey) or 3 (RGB), not {channels}");
            return Err(NodeError::Unfit(message));
        }
        let path = context.job.scratch.join("pixels");
        files::remove(&path)?;
        let pixels = BufWriter::new(File::create(&path).map_err(NodeError::io("write", &path))?);
        Ok(Self { context, channels, side, masks, path, pixels, lines: Vec::new() })
    }

    /// Whether there is no picture yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a picture, whose bytes go channel by channel, and its mask.
    pub(crate) fn push(&mut self, pixels: &[u8], mask: Option<&[u8]>, line: Line) -> Result<(), NodeError> {
        let of_mask = self.mask_bytes(&line);
        debug_assert_eq!((pixels.len(), mask.map(<[u8]>::len)), (self.bytes(&line), self.masks.then_some(of_mask)));
        self.lines.push(line);
        let pieces = [pixels, mask.unwrap_or_default()];
        pieces.iter().try_for_each(|piece| self.pixels.write_all(piece)).map_err(NodeError::io("write", &self.path))
    }

    /// Splits the pictures and writes both halves, each in the order in which they came.
    pub(crate) fn finish(mut self, aside: impl Into<Aside>) -> Result<(), NodeError> {
        self.pixels.flush().map_err(NodeError::io("write", &self.path))?;
        let count = self.lines.len();
        let is_held_out = aside.into().of(count, self.context.seed());
        let aside = is_held_out.iter().filter(|&&aside| aside).count();
        if aside == 0 || aside == count {
            let message = format!("of {count} pictures {aside} would be held out");
            return Err(NodeError::Unfit(format!(
                "{message}: both halves need one; change `held_out` or add pictures"
            )));
        }
        self.split(&is_held_out)?;
        fs::remove_file(&self.path).map_err(NodeError::io("remove", &self.path))
    }

    fn split(&mut self, is_held_out: &[bool]) -> Result<(), NodeError> {
        let lines = std::mem::take(&mut self.lines);
        let (mut of_train, mut of_held_out) = (Vec::new(), Vec::new());
        for (line, &aside) in lines.iter().zip(is_held_out) {
            match aside {
                // Repeats and mirrors are for trainings, which see nothing of this half.
                true => of_held_out.push(Line { repeats: 1, flip: false, ..line.clone() }),
                false => of_train.push(line.clone()),
            }
        }
        let mut train = Half::create(self, TRAIN, of_train)?;
        let mut held_out = Half::create(self, HELD_OUT, of_held_out)?;
        let mut pixels = BufReader::new(File::open(&self.path).map_err(NodeError::io("read", &self.path))?);
        for (line, &aside) in lines.iter().zip(is_held_out) {
            let (mut row, mut mask) = (vec![0; self.bytes(line)], vec![0; self.mask_bytes(line)]);
            pixels.read_exact(&mut row).map_err(NodeError::io("read", &self.path))?;
            if self.masks {
                pixels.read_exact(&mut mask).map_err(NodeError::io("read", &self.path))?;
            }
            let half = if aside { &mut held_out } else { &mut train };
            half.put(&row, &mask)?;
            self.context.stop_if_asked()?;
        }
        [train, held_out].into_iter().try_for_each(Half::finish)
    }

    /// Bytes of a picture.
    fn bytes(&self, line: &Line) -> usize {
        self.channels as usize * self.mask_bytes(line)
    }

    /// Bytes of a mask.
    fn mask_bytes(&self, line: &Line) -> usize {
        let [width, height] = line.framing.map_or([self.side; 2], |framing| framing.size);
        (width * height) as usize
    }
}

/// One half of a dataset in the making.
struct Half {
    /// For each size.
    images: Vec<RowWriter>,
    /// For each size; none where there are no masks.
    masks: Vec<RowWriter>,
    layout: Layout,
    /// Pictures that are written.
    written: i64,
    lines: Vec<Line>,
    lines_path: PathBuf,
}

impl Half {
    fn create(of: &Writer<'_>, name: &str, lines: Vec<Line>) -> Result<Self, NodeError> {
        let layout = Layout::of(&lines).map_err(NodeError::Unfit)?;
        let path = |file: &str| of.context.output(&format!("{file}.safetensors"));
        let (mut images, mut masks) = (Vec::new(), Vec::new());
        for (file, count, size) in layout.files(name) {
            let [width, height] = size.unwrap_or([of.side; 2]);
            images.push(RowWriter::create(&path(&file), IMAGES, Kind::Uint8, &[count, of.channels, height, width])?);
        }
        for (file, count, size) in layout.files(&Masks::name(name)).into_iter().filter(|_| of.masks) {
            let [width, height] = size.unwrap_or([of.side; 2]);
            masks.push(Masks::writer(&path(&file), count, [height, width])?);
        }
        let lines_path = of.context.output(&format!("{name}.jsonl"));
        Ok(Self { images, masks, layout, written: 0, lines, lines_path })
    }

    /// The next picture and, where there are masks, its own.
    fn put(&mut self, row: &[u8], mask: &[u8]) -> Result<(), NodeError> {
        let (file, _) = self.layout.place(self.written);
        self.written += 1;
        self.images[file].put(row)?;
        Ok(self.masks.get_mut(file).map_or(Ok(()), |masks| masks.put(mask))?)
    }

    fn finish(self) -> Result<(), NodeError> {
        self.images.into_iter().chain(self.masks).try_for_each(RowWriter::finish)?;
        files::write_lines(&self.lines_path, &self.lines)
    }
}
