//! The `Latents` artifact: what a model's encoders make of a dataset, once for every node that trains on it.
//!
//! | file | what |
//! |---|---|
//! | `train.safetensors`, `held_out.safetensors` | `latents` (pictures, c, h, w), scaled as the UNet takes them |
//! | `train.jsonl`, `held_out.jsonl` | a line a picture, and files of several sizes: see [`samples`](super::samples) |
//! | `train_masks.safetensors`, `held_out_masks.safetensors` | the dataset's own, in pixels, if it has masks |
//! | `captions.jsonl` | `{"text": …}`, the distinct captions of both halves, sorted |
//! | `text.safetensors` | `text` (captions, length, width), a row for each of these |
//! | `pooled.safetensors` | `pooled` (captions, width), with SDXL's encoders |
//! | `empty.safetensors` | `text` and `pooled` of no caption, one row |
//! | `latents.json` | the side of the pictures in pixels, where all are squares, and of which encoders all this is |
//!
//! Rows are read from disk when they are asked for.

mod encoders;
mod read;

pub(crate) use encoders::Encoders;
pub(crate) use read::Latents;

use serde::{Deserialize, Serialize};

/// What is in `latents.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct About {
    /// Side of the pictures, in pixels; none where each line has its framing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) side: Option<i64>,
    /// Of which encoders the latents are.
    pub(crate) encoders: Encoders,
}

pub(crate) const ABOUT: &str = "latents.json";
pub(crate) const CAPTIONS: &str = "captions.jsonl";
pub(crate) const EMPTY: &str = "empty.safetensors";
pub(crate) const LATENTS: &str = "latents";
pub(crate) const TEXT: &str = "text";
pub(crate) const POOLED: &str = "pooled";
