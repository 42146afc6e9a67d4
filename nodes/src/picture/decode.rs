//! From a file's bytes to a picture that stands upright.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::codecs::tiff::TiffDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbaImage};

use super::several::holds_several;
use super::{Remark, Unread, jpeg, profile};

/// Bytes of a pixel while it is decoded: four channels of 16 bits.
const LARGEST_PIXEL: u64 = 8;

/// A picture as its file has it.
pub(super) struct Decoded {
    pub(super) picture: DynamicImage,
    pub(super) orientation: Option<Orientation>,
    pub(super) profile: Option<Vec<u8>>,
    pub(super) remarks: Vec<Remark>,
}

/// A picture in sRGB, turned as its EXIF says.
pub(super) struct Upright {
    pub(super) rgba: RgbaImage,
    pub(super) has_alpha: bool,
    pub(super) remarks: Vec<Remark>,
}

/// Reads a picture of at most so many million pixels.
pub(super) fn upright(bytes: &[u8], most: u64) -> Result<Upright, Unread> {
    guarded(|| {
        let Decoded { picture, orientation, profile, mut remarks } = decode(bytes, most)?;
        let (rgba, remark) = profile::to_srgb(&picture, profile.as_deref());
        let mut turned = DynamicImage::from(rgba);
        turned.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
        remarks.extend(remark);
        Ok(Upright { rgba: turned.into_rgba8(), has_alpha: picture.color().has_alpha(), remarks })
    })
}

fn guarded<T>(decode: impl FnOnce() -> Result<T, Unread>) -> Result<T, Unread> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or(Err(Unread::GaveUp))
}

/// The format is known by content: many a PNG in the wild is a JPEG by another name.
fn decode(bytes: &[u8], most: u64) -> Result<Decoded, Unread> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(image::ImageError::from)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(most * 1_000_000 * LARGEST_PIXEL);
    reader.limits(limits);
    match reader.format() {
        Some(ImageFormat::Jpeg) => jpeg::decode(bytes, most),
        format => {
            let mut decoder = reader.into_decoder()?;
            let (width, height) = decoder.dimensions();
            within(most, width, height)?;
            let several = format.is_some_and(|format| holds_several(bytes, format));
            Ok(Decoded {
                orientation: decoder.orientation().ok(),
                // A profile that is no profile spoils no picture.
                profile: match format {
                    // With limits, this decoder leaves out a profile that is larger than the picture.
                    Some(ImageFormat::Tiff) => TiffDecoder::new(Cursor::new(bytes))?.icc_profile(),
                    _ => decoder.icc_profile(),
                }
                .unwrap_or_default(),
                picture: DynamicImage::from_decoder(decoder)?,
                remarks: several.then_some(Remark::Several).into_iter().collect(),
            })
        }
    }
}

/// Refuses what has more pixels.
pub(super) fn within(most: u64, width: u32, height: u32) -> Result<(), Unread> {
    match u64::from(width) * u64::from(height) > most * 1_000_000 {
        true => Err(Unread::TooLarge { width, height, most }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_is_an_error() {
        let error = guarded::<()>(|| panic!("outside")).unwrap_err().to_string();
        assert_eq!(error, "its decoder gave up: it is damaged");
        assert!(guarded(|| Ok(())).is_ok());
    }
}
