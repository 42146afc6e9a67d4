//! The `Dataset` artifact: pictures with captions, split once for all nodes.
//!
//! `train.safetensors` and `held_out.safetensors` hold `images` (uint8, count×channels×height×width), and the `.jsonl`
//! beside each a line a picture (see [`samples`](super::samples), also for pictures of several sizes). A dataset with masks has
//! `train_masks.safetensors` and `held_out_masks.safetensors` besides, each with `masks` (uint8, count×1×height×width), where
//! 255 is wholly of the object. Pictures are read from disk when they are asked for, and written as they come: a dataset may
//! be larger than memory.

mod account;
mod long;
mod masks;
mod own;
mod read;
pub(crate) mod words;
mod write;

pub(crate) use account::{ADVICE, Account, Reason, some};
pub(crate) use long::tell_long;
pub(crate) use masks::{Masks, Opaque};
pub(crate) use own::is_own;
pub(crate) use read::{Dataset, Split, positions};
pub(crate) use write::{Aside, Writer};

use serde::{Deserialize, Serialize};

/// Of pictures of one size; the order of an image tensor is channels, height, width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) channels: i64,
    pub(crate) height: i64,
    pub(crate) width: i64,
}

impl Shape {
    /// In words: the side of a square, or width and height.
    pub(crate) fn size(self) -> String {
        match self.width == self.height {
            true => format!("{} pixels", self.width),
            false => format!("{}×{} pixels", self.width, self.height),
        }
    }
}

/// A line of a list of captions.
#[derive(Serialize, Deserialize)]
pub(crate) struct Caption {
    pub(crate) text: String,
}

pub(crate) const TRAIN: &str = "train";
pub(crate) const HELD_OUT: &str = "held_out";
const IMAGES: &str = "images";
