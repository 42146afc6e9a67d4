//! Files with more than one picture.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, ImageFormat, ImageResult};

/// Whether a file holds more than the picture that is read: frames of an animation, or pages.
pub(super) fn holds_several(bytes: &[u8], format: ImageFormat) -> bool {
    let file = Cursor::new(bytes);
    let several: ImageResult<bool> = match format {
        ImageFormat::Gif => GifDecoder::new(file).map(|gif| gif.into_frames().take(2).count() == 2),
        ImageFormat::WebP => WebPDecoder::new(file).map(|webp| webp.has_animation()),
        ImageFormat::Png => PngDecoder::new(file).and_then(|png| png.is_apng()),
        ImageFormat::Tiff => Ok(has_pages(bytes).unwrap_or(false)),
        _ => Ok(false),
    };
    several.unwrap_or(false)
}

/// Whether the first directory of a TIFF names a second one.
fn has_pages(bytes: &[u8]) -> Option<bool> {
    let little = bytes.starts_with(b"II");
    let number = |at: usize, length: usize| {
        let mut digits = bytes.get(at..at + length)?.to_vec();
        if little {
            digits.reverse();
        }
        Some(digits.into_iter().fold(0, |number, digit| number << 8 | usize::from(digit)))
    };
    let first = number(4, 4)?;
    let entries = number(first, 2)?;
    Some(number(first + 2 + 12 * entries, 4)? > 0)
}
