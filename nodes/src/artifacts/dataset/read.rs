//! Reading a dataset, a few pictures at a time.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use hyper_flow_diffusion::DiffusionError;
use tch::{Device, Kind, Tensor, no_grad};

use super::{HELD_OUT, IMAGES, Masks, Shape, TRAIN};
use crate::NodeError;
use crate::artifacts::samples::{Layout, Table};

/// Pictures that are looked at together where all are looked at: at most these, and fewer if they have more values.
const CHUNK: i64 = 500;
const CHUNK_VALUES: i64 = 1 << 24;
/// Sizes that are named in a message.
const NAMED: usize = 4;

/// Pictures and captions of one half of a dataset.
#[derive(Debug)]
pub(crate) struct Split {
    images: Table,
    pub(crate) layout: Rc<Layout>,
    pub(crate) captions: Vec<String>,
    pub(crate) masks: Option<Masks>,
}

/// A dataset as nodes read it.
#[derive(Debug)]
pub(crate) struct Dataset {
    pub(crate) train: Rc<Split>,
    pub(crate) held_out: Rc<Split>,
}

impl Dataset {
    /// Opens the artifact.
    pub(crate) fn read(folder: &Path) -> Result<Self, NodeError> {
        Ok(Self { train: Split::read(folder, TRAIN)?.into(), held_out: Split::read(folder, HELD_OUT)?.into() })
    }

    /// Channels of its pictures.
    pub(crate) fn channels(&self) -> i64 {
        self.train.images.shapes()[0][0]
    }

    /// The size of its pictures, for a kind that takes but one.
    pub(crate) fn shape(&self) -> Result<Shape, NodeError> {
        let shapes: BTreeSet<[i64; 3]> = self.shapes().collect();
        let Some(&[channels, height, width]) = shapes.first().filter(|_| shapes.len() == 1) else {
            let named: Vec<String> = shapes.iter().take(NAMED).map(|[_, h, w]| format!("{w}×{h}")).collect();
            let more = if shapes.len() > NAMED { ", …" } else { "" };
            return Err(NodeError::Unfit(format!(
                "the pictures are of {} sizes ({}{more}), and this takes one: give it data that were read in without \
                 `buckets`, or with a single one",
                shapes.len(),
                named.join(", ")
            )));
        };
        Ok(Shape { channels, height, width })
    }

    /// (channels, height, width) of the pictures of each size, of both halves.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = [i64; 3]> {
        self.train.images.shapes().iter().chain(self.held_out.images.shapes()).copied()
    }

    /// Whether its pictures are of the sizes that were listed, and not squares of one.
    pub(crate) fn is_framed(&self) -> bool {
        self.train.layout.time_ids(0).is_some()
    }

    /// Every distinct caption of both halves, sorted.
    pub(crate) fn distinct_captions(&self) -> Vec<String> {
        let all: BTreeSet<_> = self.train.captions.iter().chain(&self.held_out.captions).collect();
        all.into_iter().cloned().collect()
    }
}

impl Split {
    fn read(folder: &Path, name: &str) -> Result<Self, NodeError> {
        let (layout, captions) = Layout::read(folder, name)?;
        let images = Table::open(folder, name, IMAGES, &[Kind::Uint8], &layout)?;
        let masks = Masks::read(folder, name, &layout, images.shapes()[0][1])?;
        Ok(Self { images, layout, captions, masks })
    }

    /// How many pictures there are.
    pub(crate) fn len(&self) -> i64 {
        self.captions.len() as i64
    }

    /// (channels, height, width) of a picture.
    pub(crate) fn shape_of(&self, picture: i64) -> [i64; 3] {
        self.images.shape_of(picture)
    }

    /// Pictures in [−1, 1], float32, in the order asked for; they must be of one size.
    pub(crate) fn images(&self, indices: &[i64], device: Device) -> Result<Tensor, DiffusionError> {
        let bytes = self.images.samples(indices, Kind::Uint8, device)?;
        Ok(bytes.to_kind(Kind::Float) / 127.5 - 1.0)
    }

    /// As [`images`](Self::images), of slots of one bucket.
    pub(crate) fn drawn(&self, slots: &[i64], device: Device) -> Result<Tensor, DiffusionError> {
        self.layout.slots().mirrored(slots, |samples| self.images(samples, device))
    }

    /// Positions of pictures of one size that are looked at together where all are looked at.
    pub(crate) fn chunks(&self) -> Vec<Vec<i64>> {
        let chunk = |own: Vec<i64>| {
            let values = own.first().map_or(1, |&first| self.shape_of(first).iter().product::<i64>().max(1));
            let count = (CHUNK_VALUES / values).clamp(1, CHUNK) as usize;
            own.chunks(count).map(<[i64]>::to_vec).collect::<Vec<_>>()
        };
        self.layout.by_file().into_iter().flat_map(chunk).collect()
    }

    /// The share of pictures whose caption has the position in a list that `guess` gives: pictures (b, …) → positions (b).
    pub(crate) fn accuracy(
        &self,
        captions: &[String],
        device: Device,
        guess: impl Fn(&Tensor) -> Tensor,
    ) -> Result<f64, DiffusionError> {
        let own = Tensor::from_slice(&self.caption_indices(captions)).to_device(device);
        let mut right = 0;
        for chunk in self.chunks() {
            let pictures = self.images(&chunk, device)?;
            let own = own.index_select(0, &Tensor::from_slice(&chunk).to_device(device));
            right += no_grad(|| guess(&pictures)).eq_tensor(&own).sum(Kind::Int64).int64_value(&[]);
        }
        Ok(right as f64 / self.len() as f64)
    }

    /// The position of each picture's caption in a list that holds them all.
    pub(crate) fn caption_indices(&self, distinct: &[String]) -> Vec<i64> {
        positions(&self.captions, distinct)
    }
}

/// The position of each caption in a sorted list that holds them all.
pub(crate) fn positions(captions: &[String], distinct: &[String]) -> Vec<i64> {
    captions.iter().map(|text| distinct.binary_search(text).expect("the list holds every caption") as i64).collect()
}
