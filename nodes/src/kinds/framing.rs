//! What `ImageFolder` and `WebDataset` make of pictures of any size.

use hyper_flow_spec::kinds::Pictures;
use hyper_flow_spec::{Level, Size};

use crate::artifacts::dataset::some;
use crate::artifacts::samples::{Framing, Line};
use crate::picture::{Picture, Wanted};
use crate::worker::Context;

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

/// The pictures that had to be enlarged, which adds nothing to see and blurs what there is.
#[derive(Debug, Default)]
pub(super) struct Enlarged {
    pictures: usize,
    names: Vec<String>,
    /// By how much, at most.
    most: f64,
    /// The shortest side of any of them.
    shortest: u32,
}

/// Sides of pictures that a VAE's latents stand for are multiples of it.
const STEP: u32 = 8;

impl Enlarged {
    /// Looks at a picture that is taken.
    pub(super) fn look(&mut self, name: &str, picture: &Picture) {
        self.pictures += 1;
        let (original, size) = (picture.original, picture.frame.size);
        let scale = (0..2).map(|side| f64::from(size[side]) / f64::from(original[side])).fold(0.0, f64::max);
        if scale > 1.0 {
            let shortest = original[0].min(original[1]);
            self.shortest = if self.names.is_empty() { shortest } else { self.shortest.min(shortest) };
            self.most = self.most.max(scale);
            self.names.push(name.to_owned());
        }
    }

    /// Says how many there were, and what to write instead.
    pub(super) fn tell(&self, context: &Context, of: Pictures<'_>) {
        if self.names.is_empty() {
            return;
        }
        let (becomes, instead) = match of.buckets.is_empty() {
            true => (
                format!("{0}×{0} that they become", of.size.get()),
                format!("`size: {}` enlarges none", self.kept_size()),
            ),
            false => ("size that they become".to_owned(), "Smaller `buckets` enlarge none".to_owned()),
        };
        let (count, all, most, names) = (self.names.len(), self.pictures, self.most, some(&self.names));
        let text = format!(
            "{count} of {all} pictures are smaller than the {becomes}, and are enlarged, up to {most:.1} times: {names}. {instead}, \
             and `no_upscale: true` leaves them out"
        );
        context.reporter.message(Level::Warning, text);
    }

    fn kept_size(&self) -> u32 {
        if self.shortest < STEP { self.shortest } else { self.shortest / STEP * STEP }
    }
}
