//! What `ImageFolder` and `WebDataset` make of pictures of any size.

use hyper_flow_spec::Size;
use hyper_flow_spec::kinds::Pictures;

use crate::artifacts::samples::{Framing, Line};
use crate::picture::{Picture, Wanted};

/// The sizes that pictures become: squares of one, or those that are listed.
pub(super) struct Sizes<'a> {
    of: Pictures<'a>,
    sizes: Vec<[u32; 2]>,
}

impl<'a> Sizes<'a> {
    pub(super) fn new(of: Pictures<'a>) -> Self {
        let square = [Size::square(of.size)];
        let sizes = if of.buckets.is_empty() { &square } else { of.buckets };
        let sizes = sizes.iter().map(|size| [size.width, size.height].map(|side| side.get() as u32)).collect();
        Self { of, sizes }
    }

    /// What is wanted of each picture.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        let Pictures { no_upscale, channels, masks, max_megapixels, .. } = self.of;
        let (channels, max_megapixels) = (channels.get(), max_megapixels.get() as u64);
        Wanted { sizes: &self.sizes, no_upscale, channels, masks, max_megapixels }
    }

    /// What is said of a picture in the dataset.
    pub(super) fn line(&self, text: &str, picture: &Picture, repeats: u32) -> Line {
        let framing = Framing {
            size: picture.frame.size.map(i64::from),
            original: picture.original.map(i64::from),
            crop: picture.frame.start.map(i64::from),
        };
        Line {
            text: text.to_owned(),
            framing: (!self.of.buckets.is_empty()).then_some(framing),
            repeats,
            flip: self.of.flip,
        }
    }
}
