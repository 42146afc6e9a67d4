//! Writing a dataset while its pictures come in.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::RowWriter;
use tch::Kind;

use super::{Caption, HELD_OUT, IMAGES, Shape, TRAIN};
use crate::worker::Context;
use crate::{NodeError, files};

/// A dataset in the making. Which half a picture belongs to depends on how many there are: until that is known their
/// pixels lie one behind the other in a file of the job's scratch directory.
pub(crate) struct Writer<'a> {
    context: &'a Context,
    shape: Shape,
    path: PathBuf,
    pixels: BufWriter<File>,
    captions: Vec<Caption>,
}

impl<'a> Writer<'a> {
    /// A dataset without pictures.
    pub(crate) fn new(context: &'a Context, shape: Shape) -> Result<Self, NodeError> {
        if !matches!(shape.channels, 1 | 3) {
            let message = format!("pictures have 1 channel (grey) or 3 (RGB), not {}", shape.channels);
            return Err(NodeError::Unfit(message));
        }
        let path = context.job.scratch.join("pixels");
        let pixels = BufWriter::new(File::create(&path).map_err(NodeError::io("write", &path))?);
        Ok(Self { context, shape, path, pixels, captions: Vec::new() })
    }

    /// Adds a picture, whose bytes go channel by channel.
    pub(crate) fn push(&mut self, pixels: &[u8], text: String) -> Result<(), NodeError> {
        debug_assert_eq!(pixels.len(), self.bytes());
        self.captions.push(Caption { text });
        self.pixels.write_all(pixels).map_err(NodeError::io("write", &self.path))
    }

    /// Splits the pictures by the seed and writes both halves, each in the order in which they came.
    pub(crate) fn finish(mut self, held_out: f64) -> Result<(), NodeError> {
        self.pixels.flush().map_err(NodeError::io("write", &self.path))?;
        let count = self.captions.len();
        let aside = (count as f64 * held_out).round() as usize;
        if aside == 0 || aside == count {
            let message = format!("of {count} pictures {aside} would be held out");
            return Err(NodeError::Unfit(format!(
                "{message}: both halves need one; change `held_out` or add pictures"
            )));
        }
        let order = Rng::at(self.context.seed(), "dataset/split", 0).permutation(count as i64);
        let mut is_held_out = vec![false; count];
        order[..aside].iter().for_each(|&i| is_held_out[i as usize] = true);
        self.split(&is_held_out, aside)?;
        fs::remove_file(&self.path).map_err(NodeError::io("remove", &self.path))
    }

    fn split(&mut self, is_held_out: &[bool], aside: usize) -> Result<(), NodeError> {
        let mut train = Half::create(self.context, TRAIN, self.shape, is_held_out.len() - aside)?;
        let mut held_out = Half::create(self.context, HELD_OUT, self.shape, aside)?;
        let mut pixels = BufReader::new(File::open(&self.path).map_err(NodeError::io("read", &self.path))?);
        let mut row = vec![0; self.bytes()];
        for (caption, &aside) in self.captions.drain(..).zip(is_held_out) {
            pixels.read_exact(&mut row).map_err(NodeError::io("read", &self.path))?;
            let half = if aside { &mut held_out } else { &mut train };
            half.images.put(&row)?;
            half.captions.push(caption);
            self.context.stop_if_asked()?;
        }
        [train, held_out].into_iter().try_for_each(Half::finish)
    }

    /// Bytes of a picture.
    fn bytes(&self) -> usize {
        (self.shape.channels * self.shape.side * self.shape.side) as usize
    }
}

/// One half of a dataset in the making.
struct Half {
    images: RowWriter,
    captions: Vec<Caption>,
    captions_path: PathBuf,
}

impl Half {
    fn create(context: &Context, name: &str, Shape { channels, side }: Shape, count: usize) -> Result<Self, NodeError> {
        let path = context.output(&format!("{name}.safetensors"));
        let images = RowWriter::create(&path, IMAGES, Kind::Uint8, &[count as i64, channels, side, side])?;
        Ok(Self { images, captions: Vec::new(), captions_path: context.output(&format!("{name}.jsonl")) })
    }

    fn finish(self) -> Result<(), NodeError> {
        self.images.finish()?;
        files::write_lines(&self.captions_path, &self.captions)
    }
}
