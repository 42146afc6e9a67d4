//! Pictures as a network that was trained on photographs wants them: resized, cropped and normalised as in bytes, but for the
//! rounding. With gradient.

use crate::{DiffusionError, send};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

const FILE: &str = "preprocessor_config.json";
/// `resample` of a bicubic filter.
const BICUBIC: i64 = 3;

/// `CLIPImageProcessor`: the shorter side is scaled, the middle cut out, each channel normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageProcessor {
    /// Length to which the shorter side is scaled.
    pub shortest_edge: i64,
    /// Side of the square that is cut out; at most `shortest_edge`.
    pub crop_size: i64,
    /// Mean of each channel of the training pictures, in [0, 1].
    pub image_mean: [f64; 3],
    /// Deviation of each channel of the training pictures.
    pub image_std: [f64; 3],
}

impl ImageProcessor {
    /// CLIP's, which BLIP and ImageReward share, for a network that sees pictures of this side.
    pub fn clip(side: i64) -> Self {
        Self {
            shortest_edge: side,
            crop_size: side,
            image_mean: [0.48145466, 0.4578275, 0.40821073],
            image_std: [0.26862954, 0.26130258, 0.27577711],
        }
    }

    /// Pictures (b, 3, h, w) in [−1, 1] → (b, 3, crop_size, crop_size), normalised, in float32. What lies outside [−1, 1]
    /// is cut off, as a file would: no reward is to be had there.
    pub fn forward(&self, pictures: &Tensor) -> Tensor {
        let channels = |values: &[f64; 3]| {
            send(&Tensor::from_slice(values).to_kind(Kind::Float), pictures.device()).reshape([1, 3, 1, 1])
        };
        let unit = (pictures.to_kind(Kind::Float).clamp(-1.0, 1.0) + 1.0) / 2.0;
        let square = center_crop(&resize(&unit, self.shortest_edge, [0.0, 1.0]), self.crop_size);
        (square - channels(&self.image_mean)) / channels(&self.image_std)
    }

    /// Reads `preprocessor_config.json` of a folder; `None` if it has none.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or [`DiffusionError::Config`] for a file that asks for something else than this.
    pub fn read(folder: &Path) -> Result<Option<Self>, DiffusionError> {
        let path = Self::path(folder);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|source| DiffusionError::Io { action: "read", path: path.clone(), source })?;
        let parsed = serde_json::from_str(&text).map_err(|e| e.to_string()).and_then(|json| Self::of_json(&json));
        parsed.map(Some).map_err(|message| DiffusionError::Config { what: path.display().to_string(), message })
    }

    /// Writes `preprocessor_config.json` into a folder.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), DiffusionError> {
        let path = Self::path(folder);
        let text = format!("{:#}\n", self.json());
        std::fs::write(&path, text).map_err(|source| DiffusionError::Io { action: "write", path, source })
    }

    /// The file of a folder that says how.
    pub(crate) fn path(folder: &Path) -> PathBuf {
        folder.join(FILE)
    }

    fn json(&self) -> Value {
        json!({
            "crop_size": {"height": self.crop_size, "width": self.crop_size},
            "do_center_crop": true,
            "do_convert_rgb": true,
            "do_normalize": true,
            "do_rescale": true,
            "do_resize": true,
            "image_mean": self.image_mean,
            "image_processor_type": "CLIPImageProcessor",
            "image_std": self.image_std,
            "resample": BICUBIC,
            "rescale_factor": 1.0 / 255.0,
            "size": {"shortest_edge": self.shortest_edge},
        })
    }

    fn of_json(json: &Value) -> Result<Self, String> {
        for step in ["do_resize", "do_center_crop", "do_normalize"] {
            if json[step] == false {
                return Err(format!("{step} is false, which is not supported"));
            }
        }
        if json["resample"].as_i64().is_some_and(|filter| filter != BICUBIC) {
            return Err(format!("resample is {}, and only {BICUBIC} (bicubic) is supported", json["resample"]));
        }
        // Older files have a number, newer ones an object.
        let length = |field: &str, name: &str| {
            let length = json[field].as_i64().or(json[field][name].as_i64()).filter(|&length| length > 0);
            length.ok_or_else(|| format!("{field} is {}, not a length of `{name}`", json[field]))
        };
        let channels = |field: &str| serde_json::from_value(json[field].clone()).map_err(|e| format!("{field}: {e}"));
        let (shortest_edge, crop_size) = (length("size", "shortest_edge")?, length("crop_size", "height")?);
        if crop_size > shortest_edge {
            return Err(format!("crop_size {crop_size} is larger than the shortest edge, {shortest_edge}"));
        }
        Ok(Self { shortest_edge, crop_size, image_mean: channels("image_mean")?, image_std: channels("image_std")? })
    }
}

/// Scales pictures (b, c, h, w) so that the shorter side is `shortest_edge`, by an antialiased bicubic filter: rows first, then
/// columns, each cut off at the ends of `range`. So do Pillow and torchvision with bytes, which cannot overshoot; torchvision
/// with floats lets them.
pub fn resize(pictures: &Tensor, shortest_edge: i64, range: [f64; 2]) -> Tensor {
    let (h, w) = (pictures.size()[2], pictures.size()[3]);
    // The longer side is rounded down.
    let [height, width] = [shortest_edge * h / h.min(w), shortest_edge * w / h.min(w)];
    let rows = scale(pictures, [h, width], range);
    scale(&rows, [height, width], range)
}

fn scale(pictures: &Tensor, size: [i64; 2], [low, high]: [f64; 2]) -> Tensor {
    match pictures.size()[2..] == size {
        true => pictures.shallow_clone(),
        false => pictures.internal_upsample_bicubic2d_aa(size, false, None, None).clamp(low, high),
    }
}

/// Cuts the middle square of this side out of pictures (b, c, h, w) that are no smaller.
pub fn center_crop(pictures: &Tensor, side: i64) -> Tensor {
    // Halves are rounded to even, as Python's `round` does.
    let start = |length: i64| ((length - side) as f64 / 2.0).round_ties_even() as i64;
    let (h, w) = (pictures.size()[2], pictures.size()[3]);
    pictures.narrow(2, start(h), side).narrow(3, start(w), side)
}
