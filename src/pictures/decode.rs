//! Pixels of a file, within bounds.

use std::io::Cursor;

use image::error::LimitErrorKind;
use image::{DynamicImage, GenericImageView, ImageError, ImageReader, Limits, Rgb, RgbImage};

/// No picture that is drawn has a longer side.
const LONGEST: u32 = 16_384;
/// Bytes that decoding may take.
const MEMORY: u64 = 1 << 30;

/// Why a picture is not drawn. Follows its name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undrawn {
    /// It would take too much.
    #[error("is not drawn: it has {0}×{1} pixels, and no side may have more than 16,384")]
    Large(u32, u32),
    /// It would take too much in another way.
    #[error("is not drawn: decoding it takes more than 1 GiB")]
    Memory,
    /// It is none, or a damaged one.
    #[error("is not drawn: it cannot be decoded: {0}")]
    Undecoded(ImageError),
    /// The library that makes sixels made none.
    #[error("is not drawn: {0}")]
    Unencoded(String),
}

/// The pixels of a picture, where it is transparent over white.
pub(crate) fn decode(bytes: &[u8]) -> Result<RgbImage, Undrawn> {
    let reader = || ImageReader::new(Cursor::new(bytes)).with_guessed_format().expect("memory is read without errors");
    let (width, height) = reader().into_dimensions().map_err(Undrawn::Undecoded)?;
    if width.max(height) > LONGEST {
        return Err(Undrawn::Large(width, height));
    }
    let mut bounded = reader();
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY);
    bounded.limits(limits);
    let picture = bounded.decode().map_err(|error| match error {
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::InsufficientMemory => Undrawn::Memory,
        error => Undrawn::Undecoded(error),
    })?;
    Ok(over_white(&picture))
}

fn over_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0.map(u32::from);
        Rgb([red, green, blue].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use image::{ImageFormat, RgbaImage};

    use super::*;

    pub(in crate::pictures) fn png(picture: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// A PNG that says it is this large, and has nothing in it.
    fn boasting(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = png(&DynamicImage::new_rgb8(1, 1));
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = checksum(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// CRC-32 as PNG has it.
    fn checksum(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }

    #[test]
    fn what_is_transparent_is_over_white() {
        let mut picture = RgbaImage::new(2, 1);
        picture.put_pixel(1, 0, image::Rgba([100, 0, 0, 255]));
        let decoded = decode(&png(&DynamicImage::ImageRgba8(picture))).unwrap();
        assert_eq!(decoded.into_raw(), [255, 255, 255, 100, 0, 0]);
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_is_decoded() {
        let told = |width, height| decode(&boasting(width, height)).unwrap_err().to_string();
        let large = "is not drawn: it has 100000×3 pixels, and no side may have more than 16,384";
        assert_eq!(told(100_000, 3), large);
        assert!(told(16_384, 16_384).starts_with("is not drawn: "), "{}", told(16_384, 16_384));
        assert!(decode(b"no picture").unwrap_err().to_string().starts_with("is not drawn: it cannot be decoded: "));
    }
}
