//! The tensors of one half.

use std::path::Path;
use std::rc::Rc;

use hyper_flow_diffusion::weights::WeightFile;
use hyper_flow_diffusion::{DiffusionError, send};
use tch::{Device, Kind, Tensor};

use super::Layout;
use crate::NodeError;

/// A tensor (c, h, w) for each sample, read from disk when it is asked for.
#[derive(Debug)]
pub(crate) struct Table {
    key: &'static str,
    files: Vec<WeightFile>,
    /// (channels, height, width) in each file.
    shapes: Vec<[i64; 3]>,
    layout: Rc<Layout>,
}

impl Table {
    /// Opens the files of this name. Each must hold `key` of one of the `kinds` with four dimensions, the first of them the
    /// number of its samples.
    pub(crate) fn open(
        folder: &Path,
        name: &str,
        key: &'static str,
        kinds: &[Kind],
        layout: &Rc<Layout>,
    ) -> Result<Self, NodeError> {
        let mut table = Self { key, files: Vec::new(), shapes: Vec::new(), layout: layout.clone() };
        for (file, count, size) in layout.files(name) {
            let path = folder.join(format!("{file}.safetensors"));
            let file = WeightFile::open(&path)?;
            let shape = file.shape(key).filter(|_| file.dtype(key).is_some_and(|kind| kinds.contains(&kind)));
            let Some([rows, c, h, w]) = shape.and_then(|shape| <[i64; 4]>::try_from(shape).ok()) else {
                let kinds: Vec<String> = kinds.iter().map(|kind| format!("{kind:?}").to_lowercase()).collect();
                let message = format!("has no `{key}` of four dimensions in {}", kinds.join(" or "));
                return Err(NodeError::content(&path, message));
            };
            if rows != count {
                return Err(NodeError::content(&path, format!("{rows} rows and {count} captions")));
            }
            // Latents are smaller than their pictures by a whole factor, the same in both directions.
            if let Some([width, height]) = size.filter(|[width, height]| width * h != height * w) {
                let message = format!("{width}×{height} pixels, and rows of {w}×{h}, which is another shape");
                return Err(NodeError::content(&path, message));
            }
            table.files.push(file);
            table.shapes.push([c, h, w]);
        }
        Ok(table)
    }

    /// (channels, height, width) of each file's samples.
    pub(crate) fn shapes(&self) -> &[[i64; 3]] {
        &self.shapes
    }

    /// (channels, height, width) of a sample.
    pub(crate) fn shape_of(&self, sample: i64) -> [i64; 3] {
        self.shapes[self.layout.place(sample).0]
    }

    /// Samples (b, c, h, w), all of one size, in the order asked for.
    pub(crate) fn samples(&self, samples: &[i64], kind: Kind, device: Device) -> Result<Tensor, DiffusionError> {
        let file = samples.first().map_or(0, |&sample| self.layout.place(sample).0);
        let row = |&sample: &i64| {
            let (own, row) = self.layout.place(sample);
            assert_eq!(own, file, "samples of two sizes do not make one tensor");
            row
        };
        let rows: Vec<_> = samples.iter().map(row).collect();
        Ok(send(&self.files[file].rows(self.key, &rows, kind, Device::Cpu)?, device))
    }
}
