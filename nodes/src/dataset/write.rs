//! Writing a dataset while its pictures come in.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::RowWriter;
use tch::Kind;

use super::{Caption, HELD_OUT, IMAGES, Masks, Shape, TRAIN};
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
    shape: Shape,
    masks: bool,
    path: PathBuf,
    pixels: BufWriter<File>,
    captions: Vec<Caption>,
}

impl<'a> Writer<'a> {
    /// A dataset without pictures. `masks` says whether each will come with a mask.
    pub(crate) fn new(context: &'a Context, shape: Shape, masks: bool) -> Result<Self, NodeError> {
        if !matches!(shape.channels, 1 | 3) {
            let message = format!("pictures have 1 channel (grey) or 3 (RGB), not {}", shape.channels);
            return Err(NodeError::Unfit(message));
        }
        let path = context.job.scratch.join("pixels");
        files::remove(&path)?;
        let pixels = BufWriter::new(File::create(&path).map_err(NodeError::io("write", &path))?);
        Ok(Self { context, shape, masks, path, pixels, captions: Vec::new() })
    }

    /// Whether there is no picture yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.captions.is_empty()
    }

    /// Adds a picture, whose bytes go channel by channel, and its mask.
    pub(crate) fn push(&mut self, pixels: &[u8], mask: Option<&[u8]>, text: String) -> Result<(), NodeError> {
        debug_assert_eq!((pixels.len(), mask.map(<[u8]>::len)), (self.bytes(), self.masks.then(|| self.mask_bytes())));
        self.captions.push(Caption { text });
        let pieces = [pixels, mask.unwrap_or_default()];
        pieces.iter().try_for_each(|piece| self.pixels.write_all(piece)).map_err(NodeError::io("write", &self.path))
    }

    /// Splits the pictures and writes both halves, each in the order in which they came.
    pub(crate) fn finish(mut self, aside: impl Into<Aside>) -> Result<(), NodeError> {
        self.pixels.flush().map_err(NodeError::io("write", &self.path))?;
        let count = self.captions.len();
        let is_held_out = aside.into().of(count, self.context.seed());
        let aside = is_held_out.iter().filter(|&&aside| aside).count();
        if aside == 0 || aside == count {
            let message = format!("of {count} pictures {aside} would be held out");
            return Err(NodeError::Unfit(format!(
                "{message}: both halves need one; change `held_out` or add pictures"
            )));
        }
        self.split(&is_held_out, aside)?;
        fs::remove_file(&self.path).map_err(NodeError::io("remove", &self.path))
    }

    fn split(&mut self, is_held_out: &[bool], aside: usize) -> Result<(), NodeError> {
        let mut train = Half::create(self, TRAIN, is_held_out.len() - aside)?;
        let mut held_out = Half::create(self, HELD_OUT, aside)?;
        let mut pixels = BufReader::new(File::open(&self.path).map_err(NodeError::io("read", &self.path))?);
        let (mut row, mut mask) = (vec![0; self.bytes()], vec![0; self.mask_bytes()]);
        for (caption, &aside) in self.captions.drain(..).zip(is_held_out) {
            pixels.read_exact(&mut row).map_err(NodeError::io("read", &self.path))?;
            let half = if aside { &mut held_out } else { &mut train };
            half.images.put(&row)?;
            if let Some(masks) = &mut half.masks {
                pixels.read_exact(&mut mask).map_err(NodeError::io("read", &self.path))?;
                masks.put(&mask)?;
            }
            half.captions.push(caption);
            self.context.stop_if_asked()?;
        }
        [train, held_out].into_iter().try_for_each(Half::finish)
    }

    /// Bytes of a picture.
    fn bytes(&self) -> usize {
        self.shape.channels as usize * self.mask_bytes()
    }

    /// Bytes of a mask.
    fn mask_bytes(&self) -> usize {
        (self.shape.side * self.shape.side) as usize
    }
}

/// One half of a dataset in the making.
struct Half {
    images: RowWriter,
    masks: Option<RowWriter>,
    captions: Vec<Caption>,
    captions_path: PathBuf,
}

impl Half {
    fn create(of: &Writer<'_>, name: &str, count: usize) -> Result<Self, NodeError> {
        let (context, count, Shape { channels, side }) = (of.context, count as i64, of.shape);
        let path = context.output(&format!("{name}.safetensors"));
        let images = RowWriter::create(&path, IMAGES, Kind::Uint8, &[count, channels, side, side])?;
        let masks = of.masks.then(|| Masks::writer(&context.output(&Masks::file(name)), count, side)).transpose()?;
        Ok(Self { images, masks, captions: Vec::new(), captions_path: context.output(&format!("{name}.jsonl")) })
    }

    fn finish(self) -> Result<(), NodeError> {
        self.images.finish()?;
        self.masks.map_or(Ok(()), RowWriter::finish)?;
        files::write_lines(&self.captions_path, &self.captions)
    }
}
