//! What `ImageFolder` and `WebDataset` make of pictures of any size.

use hyper_flow_spec::{Count, Size};

use crate::artifacts::samples::{Framing, Line};
use crate::picture::{Picture, Wanted};

/// The sizes that pictures become.
pub(super) struct Sizes {
    sizes: Vec<[u32; 2]>,
    /// Whether each picture's own is kept beside it.
    are_listed: bool,
    flip: bool,
    wanted: Wanted<'static>,
}

impl Sizes {
    /// Squares of one side, or the listed sizes where there are any. `wanted` says the rest.
    pub(super) fn new(side: Count, listed: &[Size], flip: bool, wanted: Wanted<'static>) -> Self {
        let squares = [Size::square(side)];
        let sizes = if listed.is_empty() { &squares } else { listed };
        let sizes = sizes.iter().map(|size| [size.width, size.height].map(|side| side.get() as u32)).collect();
        Self { sizes, are_listed: !listed.is_empty(), flip, wanted }
    }

    /// What is wanted of each picture.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted { sizes: &self.sizes, ..self.wanted }
    }

    /// What is said of a picture in the dataset.
    pub(super) fn line(&self, text: &str, picture: &Picture, repeats: u32) -> Line {
        let framing = Framing {
            size: picture.frame.size.map(i64::from),
            original: picture.original.map(i64::from),
            crop: picture.frame.start.map(i64::from),
        };
        Line { text: text.to_owned(), framing: self.are_listed.then_some(framing), repeats, flip: self.flip }
    }
}
