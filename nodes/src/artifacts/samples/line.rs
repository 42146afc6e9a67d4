//! What is said of a sample.

use hyper_flow_diffusion::TimeIds;
use serde::{Deserialize, Serialize};

/// A line of a `.jsonl`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Line {
    /// The caption.
    pub(crate) text: String,
    /// How the picture was cut out of its file, where sizes differ; a square says nothing of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) framing: Option<Framing>,
    /// How often an epoch comes by it, if more than once.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub(crate) repeats: u32,
    /// Whether an epoch comes by it mirrored, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) flip: bool,
}

/// Sizes in pixels, widths first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Framing {
    /// Of the picture, which is a row of the tensor file of this size.
    pub(crate) size: [i64; 2],
    /// Of what is in the file, upright.
    pub(crate) original: [i64; 2],
    /// Left and top of the cut, in the scaled picture.
    pub(crate) crop: [i64; 2],
}

impl Framing {
    /// As SDXL is told of it.
    pub(crate) fn time_ids(&self) -> TimeIds {
        let turned = |[x, y]: [i64; 2]| [y, x];
        TimeIds { original: turned(self.original), crop: turned(self.crop), target: turned(self.size) }
    }
}

impl Line {
    /// A sample that is said no more of than its caption.
    pub(crate) fn new(text: String) -> Self {
        Self { text, repeats: 1, ..Self::default() }
    }
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_once(repeats: &u32) -> bool {
    *repeats == 1
}
