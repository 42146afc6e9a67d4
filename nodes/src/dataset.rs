//! The `Dataset` artifact: pictures with captions, split once for all nodes.
//!
//! `train.safetensors` and `held_out.safetensors` hold `images` (uint8, count×channels×height×width), and the
//! `.jsonl` beside each holds `{"text": …}`, a line a picture.

use std::collections::BTreeSet;
use std::path::Path;

use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::weights::{read_tensors, write_tensors};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::{NodeError, files};

/// One picture as the kinds that bring data in find it.
#[derive(Debug)]
pub(crate) struct Example {
    /// Bytes, channel by channel.
    pub(crate) pixels: Vec<u8>,
    /// The caption.
    pub(crate) text: String,
}

/// Height and width are equal; the order of an image tensor is channels, height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) channels: i64,
    pub(crate) side: i64,
}

#[derive(Serialize, Deserialize)]
struct Caption {
    text: String,
}

/// Pictures and captions of one half of a dataset.
#[derive(Debug)]
pub(crate) struct Split {
    images: Tensor,
    pub(crate) captions: Vec<String>,
}

/// A dataset as nodes read it.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) train: Split,
    pub(crate) held_out: Split,
}

const TRAIN: &str = "train";
const HELD_OUT: &str = "held_out";

/// Splits examples by the seed and writes both halves.
pub(crate) fn write(
    output: &Path,
    shape: Shape,
    examples: &[Example],
    held_out: f64,
    seed: u64,
) -> Result<(), NodeError> {
    let order = Rng::at(seed, "dataset/split", 0).permutation(examples.len() as i64);
    let aside = (examples.len() as f64 * held_out).round() as usize;
    if aside == 0 || aside == examples.len() {
        let message = format!("of {} pictures {aside} would be held out", examples.len());
        return Err(NodeError::Unfit(format!("{message}: both halves need one; change `held_out` or add pictures")));
    }
    let mut halves = [order[..aside].to_vec(), order[aside..].to_vec()];
    for (half, name) in halves.iter_mut().zip([HELD_OUT, TRAIN]) {
        half.sort_unstable();
        write_half(output, name, shape, half.iter().map(|&i| &examples[i as usize]))?;
    }
    Ok(())
}

fn write_half<'a>(
    output: &Path,
    name: &str,
    shape: Shape,
    examples: impl Iterator<Item = &'a Example>,
) -> Result<(), NodeError> {
    let (mut pixels, mut captions) = (Vec::new(), Vec::new());
    for example in examples {
        pixels.extend_from_slice(&example.pixels);
        captions.push(Caption { text: example.text.clone() });
    }
    let images = Tensor::from_slice(&pixels).reshape([captions.len() as i64, shape.channels, shape.side, shape.side]);
    let tensors = [("images".to_owned(), images)].into_iter().collect();
    write_tensors(&output.join(format!("{name}.safetensors")), &tensors, None)?;
    files::write_lines(&output.join(format!("{name}.jsonl")), &captions)
}

impl Dataset {
    /// Reads the artifact.
    pub(crate) fn read(folder: &Path) -> Result<Self, NodeError> {
        Ok(Self { train: Split::read(folder, TRAIN)?, held_out: Split::read(folder, HELD_OUT)? })
    }

    /// The size of its pictures.
    pub(crate) fn shape(&self) -> Shape {
        let size = self.train.images.size();
        Shape { channels: size[1], side: size[2] }
    }

    /// Every distinct caption of both halves, sorted.
    pub(crate) fn distinct_captions(&self) -> Vec<String> {
        let all: BTreeSet<_> = self.train.captions.iter().chain(&self.held_out.captions).collect();
        all.into_iter().cloned().collect()
    }
}

impl Split {
    fn read(folder: &Path, name: &str) -> Result<Self, NodeError> {
        let path = folder.join(format!("{name}.safetensors"));
        let mut tensors = read_tensors(&path, Kind::Float, Device::Cpu)?;
        let images = tensors.remove("images").filter(|t| t.dim() == 4 && t.kind() == Kind::Uint8);
        let images = images.ok_or_else(|| NodeError::content(&path, "has no `images` of four dimensions in uint8"))?;
        let lines: Vec<Caption> = files::read_lines(&folder.join(format!("{name}.jsonl")))?;
        if lines.len() as i64 != images.size()[0] {
            return Err(NodeError::content(
                &path,
                format!("{} pictures and {} captions", images.size()[0], lines.len()),
            ));
        }
        Ok(Self { images, captions: lines.into_iter().map(|line| line.text).collect() })
    }

    /// The same pictures, not copied.
    pub(crate) fn shallow_clone(&self) -> Self {
        Self { images: self.images.shallow_clone(), captions: self.captions.clone() }
    }

    /// How many pictures there are.
    pub(crate) fn len(&self) -> i64 {
        self.images.size()[0]
    }

    /// (channels, height, width) of a picture.
    pub(crate) fn picture_shape(&self) -> [i64; 3] {
        let size = self.images.size();
        [size[1], size[2], size[3]]
    }

    /// Pictures in [−1, 1], float32, in the order asked for.
    pub(crate) fn images(&self, indices: &[i64], device: Device) -> Tensor {
        let chosen = self.images.index_select(0, &Tensor::from_slice(indices)).to_device(device);
        chosen.to_kind(Kind::Float) / 127.5 - 1.0
    }

    /// All pictures in [−1, 1], float32.
    pub(crate) fn all_images(&self, device: Device) -> Tensor {
        self.images(&(0..self.len()).collect::<Vec<_>>(), device)
    }

    /// The position of each picture's caption in a list that holds them all.
    pub(crate) fn caption_indices(&self, distinct: &[String]) -> Vec<i64> {
        let position = |text: &String| distinct.binary_search(text).expect("the list holds every caption") as i64;
        self.captions.iter().map(position).collect()
    }
}
