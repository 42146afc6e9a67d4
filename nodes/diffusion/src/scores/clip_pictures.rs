//! Pictures on their way into a CLIP.

use crate::DiffusionError;
use crate::clip::ClipVisionConfig;
use crate::image_processor::{ImageProcessor, center_crop, resize};
use std::path::Path;
use tch::Tensor;

/// How a CLIP wants its pictures.
#[derive(Debug, Clone)]
pub(super) struct ClipPictures {
    /// None where it was trained on pictures in [−1, 1] as they are; those of another size are then scaled to its own.
    processor: Option<ImageProcessor>,
    channels: i64,
    side: i64,
}

impl ClipPictures {
    /// As `preprocessor_config.json` of a folder says, if it has one.
    pub(super) fn load(folder: &Path, config: &ClipVisionConfig) -> Result<Self, DiffusionError> {
        let (channels, side) = (config.num_channels, config.image_size);
        let processor = ImageProcessor::read(folder)?;
        match &processor {
            Some(own) if own.crop_size != side || channels != 3 => Err(DiffusionError::Config {
                what: ImageProcessor::path(folder).display().to_string(),
                message: format!(
                    "makes pictures of 3 channels and {} pixels, and the CLIP sees {channels} and {side}",
                    own.crop_size
                ),
            }),
            _ => Ok(Self { processor, channels, side }),
        }
    }

    /// The same; a folder that says nothing holds a CLIP that was trained on photographs.
    pub(super) fn published(folder: &Path, config: &ClipVisionConfig) -> Result<Self, DiffusionError> {
        let found = Self::load(folder, config)?;
        let photographs = (found.channels == 3).then(|| ImageProcessor::clip(found.side));
        Ok(Self { processor: found.processor.or(photographs), ..found })
    }

    pub(super) fn save(&self, folder: &Path) -> Result<(), DiffusionError> {
        self.processor.as_ref().map_or(Ok(()), |processor| processor.write(folder))
    }

    pub(super) fn channels(&self) -> i64 {
        self.channels
    }

    /// Pictures (b, channels, h, w) in [−1, 1] → what the image tower takes.
    pub(super) fn forward(&self, pictures: &Tensor) -> Tensor {
        match &self.processor {
            Some(processor) => processor.forward(pictures),
            None => center_crop(&resize(pictures, self.side, [-1.0, 1.0]), self.side),
        }
    }
}
