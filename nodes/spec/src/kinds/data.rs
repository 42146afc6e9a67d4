//! Kinds that bring pictures and captions in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounded::int;
use crate::{Count, File, Fraction, Int};

/// The UCI handwritten digits: 8×8 pictures in 17 shades, captioned "a handwritten digit seven".
///
/// The split is fixed by the seed: the same for every node that reads it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Digits {
    /// The data, `digits.csv.gz` as scikit-learn ships it: 64 shades 0–16 and the digit, a row a picture.
    pub file: File,
    /// Share of the pictures that no training sees.
    #[serde(default = "fifth")]
    pub held_out: Fraction,
}

/// A folder of pictures with captions.
///
/// Captions come from `metadata.jsonl` (`{"file_name": "a.png", "text": "a red fox"}`, the Hugging Face
/// imagefolder convention) or, without one, from a `.txt` file of the same name beside each picture.
/// PNG, JPEG and WebP. Pictures are turned as their EXIF says, scaled so that the shorter side is `size`, then cropped in
/// the centre.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageFolder {
    /// The folder; pictures in folders below it are found too.
    pub folder: File,
    /// Width and height of the pictures, in pixels.
    #[serde(default = "int::count::<512>")]
    pub size: Count,
    /// Channels: 3 is RGB, 1 is grey.
    #[serde(default = "channels")]
    pub channels: Int<1, 3>,
    /// Share of the pictures that no training sees.
    #[serde(default = "twentieth")]
    pub held_out: Fraction,
}

fn channels() -> Int<1, 3> {
    Int::new(3).expect("in range")
}

fn fifth() -> Fraction {
    Fraction::new(0.2).expect("in range")
}

fn twentieth() -> Fraction {
    Fraction::new(0.05).expect("in range")
}
