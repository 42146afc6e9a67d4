//! Why a picture is not read.

use std::io;

use image::ImageError;

/// Why a picture is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// What the system says of the file.
    #[error("{0}")]
    File(#[from] io::Error),
    /// What the decoder says.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// What JPEG's decoder says.
    #[error("it is damaged: {0}")]
    Jpeg(String),
    /// There are rows or scans that are not in the file.
    #[error("it is cut off: a part of the picture is missing")]
    Cut,
    /// Its decoder would make stripes of it.
    #[error("its colours are sampled finer than its brightness, which no decoder here reads: save it anew")]
    FineChroma,
    /// A decoder that panics has met something that it does not expect: the picture's fault, as far as anybody can tell.
    #[error("its decoder gave up: it is damaged")]
    GaveUp,
    /// It covers none of the sizes that are wanted, and is not to be enlarged.
    #[error("it has {width}×{height} pixels, and would have to be enlarged")]
    Small {
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
    },
    /// No picture of that many pixels takes so many bytes.
    #[error("it has {bytes} bytes, more than {most} million pixels have: raise `max_megapixels`")]
    TooLong {
        /// Length of the file.
        bytes: u64,
        /// `max_megapixels`.
        most: u64,
    },
    /// A small file may promise a picture that no memory holds.
    #[error(
        "it has {width}×{height} pixels, more than {most} million: raise `max_megapixels` (each million takes up to 15 MB)"
    )]
    TooLarge {
        /// Width of the picture.
        width: u32,
        /// Height of the picture.
        height: u32,
        /// `max_megapixels`.
        most: u64,
    },
}
