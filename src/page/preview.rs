//! Smaller pictures, where the page would get too large.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{ImageFormat, ImageReader, RgbImage};

use super::picture::Picture;

/// A picture whose decoding would take more memory than a page is worth.
const PIXELS: u64 = 100_000_000;

/// The picture with no side of more than `side` pixels, in few bytes; as it is if it is small enough, `None` if it cannot
/// be read.
pub(super) fn shrink(picture: &Picture, side: u32) -> Option<Picture> {
    let reader = ImageReader::new(Cursor::new(&picture.bytes)).with_guessed_format().ok()?;
    let (width, height) = reader.into_dimensions().ok()?;
    if width.max(height) <= side && picture.bytes.len() <= SMALL {
        return Some(Picture { bytes: picture.bytes.clone(), media: picture.media });
    }
    if u64::from(width) * u64::from(height) > PIXELS {
        return None;
    }
    let decoded = image::load_from_memory(&picture.bytes).ok()?;
    let fitted = if width.max(height) > side { decoded.resize(side, side, FilterType::Triangle) } else { decoded };
    encode(&fitted.into_rgb8())
}

/// A picture of so few bytes is left as it is.
const SMALL: usize = 64 << 10;
const QUALITY: u8 = 82;

/// As PNG or JPEG, whichever is smaller.
fn encode(picture: &RgbImage) -> Option<Picture> {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).ok()?;
    let mut jpeg = Vec::new();
    picture.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
    let png = png.into_inner();
    match png.len() <= jpeg.len() {
        true => Some(Picture { bytes: png, media: "image/png" }),
        false => Some(Picture { bytes: jpeg, media: "image/jpeg" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: u32, height: u32) -> Picture {
        let picture = RgbImage::from_fn(width, height, |x, y| {
            let value = blake3_like(x, y);
            image::Rgb([value, value.wrapping_mul(3), value.wrapping_mul(7)])
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        Picture { bytes: bytes.into_inner(), media: "image/png" }
    }

    fn blake3_like(x: u32, y: u32) -> u8 {
        (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503).rotate_left(7)).to_le_bytes()[2]
    }

    #[test]
    fn small_pictures_stay_and_large_ones_shrink() {
        let small = noise(40, 30);
        assert_eq!(shrink(&small, 512).unwrap().bytes, small.bytes);
        let large = noise(600, 300);
        let shrunk = shrink(&large, 200).unwrap();
        let size = image::load_from_memory(&shrunk.bytes).unwrap();
        assert_eq!((size.width(), size.height()), (200, 100));
        assert!(shrunk.bytes.len() < large.bytes.len() / 4);
        assert!(shrink(&Picture { bytes: b"no picture".to_vec(), media: "image/png" }, 200).is_none());
    }
}
