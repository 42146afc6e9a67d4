//! Kinds that bring pictures and captions in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Precision, Problem};
use crate::bounded::int;
use crate::{Count, File, Fraction, Int, Ref, Repeats, Sha256, Size, Url, types};

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
    /// Makes masks, as `TrainSegmenter` and `perception` want them: of the pixels whose shade is above this share of the
    /// darkest one. Without it there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masks: Option<Fraction>,
}

/// The longest side of a picture, in pixels.
const LONGEST: i64 = 16_384;

/// What both sources of pictures say of them.
#[derive(Debug, Clone, Copy)]
pub struct Pictures<'a> {
    /// Side of squares, in pixels.
    pub size: Count,
    /// 3 is RGB, 1 is grey.
    pub channels: Int<1, 3>,
    /// Sizes in place of squares; none for squares.
    pub buckets: &'a [Size],
    /// Whether nothing is enlarged.
    pub no_upscale: bool,
    /// Whether trainings see mirrored pictures, too.
    pub flip: bool,
    /// Whether masks are kept.
    pub masks: bool,
    /// Millions of pixels that a picture may have.
    pub max_megapixels: Count,
}

/// Defines the parameters of a source of pictures: its own fields, then those of [`Pictures`].
macro_rules! picture_source {
    ($(#[$doc:meta])* $name:ident { $($(#[$meta:meta])* $field:ident: $ty:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$meta])* pub $field: $ty,)*
            /// Width and height of the pictures, in pixels.
            #[serde(default = "int::count::<512>")]
            pub size: Count,
            /// Sizes, `[(512, 512), (640, 384), (384, 640)]`, width first: each picture becomes the one whose shape is nearest, so
            /// little is cut off and nothing stretched, and batches are of one size. SDXL is told each picture's own sizes.
            /// `size` then does not count.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub buckets: Vec<Size>,
            /// Whether no picture is enlarged: it becomes a size that it covers as it is, or is left out and counted.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub no_upscale: bool,
            /// Whether trainings see each picture mirrored, too, as often as it is.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub flip: bool,
            /// Channels: 3 is RGB, 1 is grey.
            #[serde(default = "channels")]
            pub channels: Int<1, 3>,
            /// Share of the pictures that no training sees, where the metadata does not say which.
            #[serde(default = "twentieth")]
            pub held_out: Fraction,
            /// Keeps the alpha channel of each picture as its mask, as `TrainSegmenter` and `perception` want it.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub masks: bool,
            /// How many million pixels a picture may have: each million takes up to 15 MB of memory while it is read. What has
            /// more is taken for damaged.
            #[serde(default = "int::count::<256>")]
            pub max_megapixels: Count,
            /// Whether pictures, captions and ends of shards that cannot be read are left out and counted. Else they fail the
            /// node.
            #[serde(default)]
            pub skip_damaged: bool,
        }

        impl $name {
            /// What it says of its pictures.
            pub fn pictures(&self) -> Pictures<'_> {
                Pictures {
                    size: self.size,
                    channels: self.channels,
                    buckets: &self.buckets,
                    no_upscale: self.no_upscale,
                    flip: self.flip,
                    masks: self.masks,
                    max_megapixels: self.max_megapixels,
                }
            }
        }
    };
}

picture_source! {
    /// A folder of pictures with captions.
    ///
    /// Captions come from `metadata.jsonl` (`{"file_name": "a.png", "text": "a red fox"}`, the Hugging Face
    /// imagefolder convention), `metadata.csv` or `metadata.parquet`, in the folder or in one below it, of which they name the
    /// pictures; or, without one, from a `.txt` file of the same name beside each picture. Where each row has a `split`, "train"
    /// or "held_out" ("validation" and "test" are the same), it decides what is held out; else folders of these names do, if all
    /// pictures lie in one. What is left out, for want of a caption or because it is hidden or of no format that is read, is
    /// told, and listed in the node's log.
    /// JPEG, PNG, WebP, GIF, BMP and TIFF; of an animation or several pages, the first. Pictures are turned as their EXIF says,
    /// converted to sRGB by the colour profile that they carry, laid on white where they are transparent, scaled so that the
    /// shorter side is `size` (or to one of the `buckets`), then cropped in the centre, all as Pillow does it. A JPEG that is cut off is damaged.
    ImageFolder {
        /// The folder; pictures in folders below it are found too.
        folder: File,
        /// Folders in the folder whose pictures an epoch comes by more than once: `[("10_cat", 10)]`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        repeats: Vec<(String, Repeats)>,
    }
}

picture_source! {
    /// Pictures with captions in tar shards, as the webdataset library reads them.
    ///
    /// Members that follow each other and have one name up to its first dot are a sample: a picture, in the formats of
    /// `ImageFolder`, and its caption (`.txt`, or `.json` with `caption` or `text` in it). What a sample lacks one of is left out and
    /// counted. A shard may be packed by gzip. Pictures become squares as in `ImageFolder`. Exactly one of `shards` and `urls` is
    /// given.
    WebDataset {
        /// The shards, in the order in which they are read. Of a folder, all that are in it, in order of their names.
        #[serde(default)]
        shards: Option<Vec<File>>,
        /// Shards on web servers and the SHA-256 that each must have, `[("https://…/00000.tar", "…64 digits")]`.
        #[serde(default)]
        urls: Option<Vec<(Url, Sha256)>>,
    }
}

/// What a model's encoders make of pictures and captions, once for every node that trains on them.
///
/// A picture's latent is a draw from what the VAE says of it, scaled as the UNet takes it; each distinct caption is encoded
/// once. An interrupted node goes on where it was.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EncodeLatents {
    /// The model whose VAE and text encoders are used; another one with the same encoders may train on what they give.
    pub model: Ref<types::Model>,
    /// Pictures and captions.
    pub data: Ref<types::Dataset>,
    /// A LoRA whose parts for text encoders, if it has any, act where captions are encoded. The model itself may then train
    /// on what it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<Ref<types::Lora>>,
    /// Pictures encoded at once.
    #[serde(default = "int::count::<8>")]
    pub batch: Count,
    /// The dtype of the encoders, and of what is kept.
    #[serde(default)]
    pub precision: Precision,
}

impl ImageFolder {
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.pictures().problems().collect()
    }
}

impl WebDataset {
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.source_problem().into_iter().chain(self.pictures().problems()).collect()
    }

    fn source_problem(&self) -> Option<Problem> {
        let given = (self.shards.as_ref().map(Vec::len), self.urls.as_ref().map(Vec::len));
        let (field, message) = match given {
            (Some(_), Some(_)) => ("urls", "both `shards` and `urls` say where the shards are"),
            (None, None) => ("shards", "`WebDataset` needs `shards` or `urls`"),
            (Some(0), _) => ("shards", "there is no shard to read"),
            (_, Some(0)) => ("urls", "there is no shard to read"),
            _ => return None,
        };
        let help = "write one: `shards: [\"data/00000.tar\"]`, or `urls: [(\"https://…/00000.tar\", \"…64 digits\")]`";
        Some(Problem { field, message: message.into(), help: help.into() })
    }
}

impl Pictures<'_> {
    fn problems(self) -> impl Iterator<Item = Problem> {
        self.two_channels().into_iter().chain(self.bucket_problem()).chain(self.too_large())
    }

    /// A picture of more would not fit into memory, and none of it into a model.
    fn too_large(self) -> Option<Problem> {
        let of_buckets = self.buckets.iter().flat_map(|size| [("buckets", size.width), ("buckets", size.height)]);
        let (field, side) = of_buckets.chain([("size", self.size)]).find(|(_, side)| side.get() > LONGEST)?;
        let message = format!("no picture here has a side of {} pixels", side.get());
        Some(Problem { field, message, help: format!("at most {LONGEST}") })
    }

    fn two_channels(self) -> Option<Problem> {
        (self.channels.get() == 2).then(|| Problem {
            field: "channels",
            message: "no pictures have two channels".into(),
            help: "3 is RGB, 1 is grey".into(),
        })
    }

    fn bucket_problem(self) -> Option<Problem> {
        let is_repeated = |&(i, size): &(usize, &Size)| self.buckets[..i].contains(size);
        let (_, twice) = self.buckets.iter().enumerate().find(is_repeated)?;
        Some(Problem {
            field: "buckets",
            message: format!("{twice} is listed twice"),
            help: "list each size once".into(),
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(fields: &str) -> Vec<(&'static str, String)> {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let kind: ImageFolder = options.from_str(&format!("(folder: \"f\", {fields})")).unwrap();
        kind.problems().into_iter().map(|problem| (problem.field, problem.message)).collect()
    }

    #[test]
    fn sizes_are_told_apart_and_fit_into_memory() {
        assert_eq!(problems("buckets: [(512, 512), (640, 384), 384]"), []);
        let twice = problems("buckets: [512, (640, 384), (512, 512)]");
        assert_eq!(twice, [("buckets", "512×512 is listed twice".to_owned())]);
        let long = |side: u32| format!("no picture here has a side of {side} pixels");
        assert_eq!(problems("buckets: [(512, 20000)]"), [("buckets", long(20000))]);
        assert_eq!(problems("size: 100000"), [("size", long(100_000))]);
    }
}
