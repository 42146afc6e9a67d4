//! The masks of a dataset's pictures, which not every dataset has.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::RowWriter;
use hyper_flow_spec::Level;
use tch::{Device, Kind, Tensor};

use crate::NodeError;
use crate::artifacts::samples::{Layout, Table};
use crate::picture::Picture;
use crate::worker::Context;

const MASKS: &str = "masks";

/// The masks of one half, in the order of its pictures.
#[derive(Debug)]
pub(crate) struct Masks {
    masks: Table,
    layout: Rc<Layout>,
}

impl Masks {
    /// The name of the tensors of a half.
    pub(crate) fn name(half: &str) -> String {
        format!("{half}_masks")
    }

    /// A file in the making, a row a picture.
    pub(crate) fn writer(path: &Path, count: i64, [height, width]: [i64; 2]) -> Result<RowWriter, DiffusionError> {
        RowWriter::create(path, MASKS, Kind::Uint8, &[count, 1, height, width])
    }

    /// Those of a half's pictures, if it has any; of squares of `side` pixels, where the lines have no framing.
    pub(crate) fn read(folder: &Path, half: &str, layout: &Rc<Layout>, side: i64) -> Result<Option<Self>, NodeError> {
        let name = Self::name(half);
        let files: Vec<_> = layout.files(&name);
        let path = |file: &str| folder.join(format!("{file}.safetensors"));
        if !files.iter().any(|(file, ..)| path(file).exists()) {
            return Ok(None);
        }
        let masks = Table::open(folder, &name, MASKS, &[Kind::Uint8], layout)?;
        for ((file, count, size), shape) in files.iter().zip(masks.shapes()) {
            let [width, height] = size.unwrap_or([side; 2]);
            if *shape != [1, height, width] {
                let message =
                    format!("has no `masks` of {count}×1×{height}×{width} in uint8, as the pictures want them");
                return Err(NodeError::content(&path(file), message));
            }
        }
        Ok(Some(Self { masks, layout: layout.clone() }))
    }

    /// Writes them for the slots of another layout of the same pictures, a row a slot; `path` says where a file goes.
    pub(crate) fn write_again(
        &self,
        path: &dyn Fn(&str) -> PathBuf,
        half: &str,
        layout: &Layout,
    ) -> Result<(), DiffusionError> {
        let slots = layout.slots();
        for (bucket, &count) in slots.counts().iter().enumerate() {
            let first = slots.first(bucket);
            let (file, ..) = layout.files(&Self::name(half)).swap_remove(bucket);
            let [_, height, width] = self.masks.shape_of(slots.sample(first));
            let mut rows = Self::writer(&path(&format!("{file}.safetensors")), count, [height, width])?;
            for slot in first..first + count {
                let read = |samples: &[i64]| self.masks.samples(samples, Kind::Uint8, Device::Cpu);
                let mask = slots.mirrored(&[slot], read)?.contiguous().flatten(0, -1);
                rows.put(&Vec::<u8>::try_from(mask).expect("a flat tensor of bytes"))?;
            }
            rows.finish()?;
        }
        Ok(())
    }

    /// Masks (b, 1, height, width) in [0, 1], float32, in the order asked for.
    pub(crate) fn of(&self, indices: &[i64], device: Device) -> Result<Tensor, DiffusionError> {
        Ok(self.masks.samples(indices, Kind::Uint8, device)?.to_kind(Kind::Float) / 255.0)
    }

    /// As [`of`](Self::of), of slots.
    pub(crate) fn drawn(&self, slots: &[i64], device: Device) -> Result<Tensor, DiffusionError> {
        self.layout.slots().mirrored(slots, |samples| self.of(samples, device))
    }
}

/// How many pictures say nothing of how opaque they are, where masks are made of that.
#[derive(Debug, Default)]
pub(crate) struct Opaque {
    without: usize,
    all: usize,
}

impl Opaque {
    /// Counts a picture, if its mask was asked for.
    pub(crate) fn count(&mut self, picture: &Picture) {
        self.all += usize::from(picture.mask.is_some());
        self.without += usize::from(picture.mask.is_some() && !picture.has_alpha);
    }

    /// Tells of those without an alpha channel, whose masks are everything. Fails if that is all of them.
    pub(crate) fn tell(&self, context: &Context) -> Result<(), NodeError> {
        if self.without == 0 {
            return Ok(());
        }
        if self.without == self.all {
            let message = "no picture has an alpha channel, which masks are made of; leave `masks` out";
            return Err(NodeError::Unfit(message.into()));
        }
        let text = format!("{} pictures have no alpha channel: the whole of each is its mask", self.without);
        context.reporter.message(Level::Warning, text);
        Ok(())
    }
}
