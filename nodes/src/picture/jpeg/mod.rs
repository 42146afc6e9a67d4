//! JPEGs: only whole ones. What is missing of one, its decoder makes up without a word.

mod outline;

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::decode::{Decoded, within};
use super::{Remark, Unread};
use outline::Outline;

/// What is put behind the data to see whether the decoder wants more of it: codes that are long, so that they say much, as
/// far as they can be without a marker.
const MORE: [u8; 64] = [0xfe; 64];

/// Decodes a JPEG that is whole.
///
/// A decoder that runs out of data goes on with zeros. Whether it did is seen by giving it something else than zeros: of a
/// whole JPEG it makes the same picture.
pub(super) fn decode(bytes: &[u8], most: u64) -> Result<Decoded, Unread> {
    let outline = Outline::of(bytes);
    if outline.has_finer_chroma() {
        return Err(Unread::FineChroma);
    }
    if !outline.is_ended() && !outline.has_every_scan() {
        return Err(Unread::Cut);
    }
    let headers = open(bytes, false)?;
    let (width, height) = headers.dimensions().unwrap_or_default();
    within(most, width as u32, height as u32)?;
    let pixels = pixels(&outline.closed(bytes, &[]));
    let more = self::pixels(&outline.closed(bytes, &MORE));
    let pixels = match (pixels, more) {
        (Ok(pixels), Ok(more)) if pixels == more => pixels,
        (Err(Unread::Jpeg(why)), _) if outline.is_ended() => return Err(Unread::Jpeg(why)),
        _ => return Err(Unread::Cut),
    };
    let inks = matches!(headers.input_colorspace(), Some(ColorSpace::CMYK | ColorSpace::YCCK));
    Ok(Decoded {
        picture: picture(width as u32, height as u32, pixels)?,
        orientation: headers.exif().and_then(|exif| Orientation::from_exif_chunk(exif)),
        // It is one of inks, and they are gone.
        profile: headers.icc_profile().filter(|_| !inks),
        remarks: if inks { vec![Remark::Inks] } else { Vec::new() },
    })
}

/// A decoder that has read the headers. Strict, it fails where the data are damaged.
fn open(bytes: &[u8], strict: bool) -> Result<JpegDecoder<ZCursor<&[u8]>>, Unread> {
    let anything =
        DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), anything);
    decoder.decode_headers().map_err(unread)?;
    let grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
    let colours = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    // Headers are often out of order in files that are sound.
    decoder.set_options(anything.set_strict_mode(strict).jpeg_set_out_colorspace(colours));
    Ok(decoder)
}

fn pixels(bytes: &[u8]) -> Result<Vec<u8>, Unread> {
    open(bytes, true)?.decode().map_err(unread)
}

fn picture(width: u32, height: u32, pixels: Vec<u8>) -> Result<DynamicImage, Unread> {
    let grey = pixels.len() as u64 == u64::from(width) * u64::from(height);
    let picture = match grey {
        true => GrayImage::from_raw(width, height, pixels).map(DynamicImage::from),
        false => RgbImage::from_raw(width, height, pixels).map(DynamicImage::from),
    };
    picture.ok_or_else(|| Unread::Jpeg("its number of channels is none of grey, RGB and CMYK".into()))
}

fn unread(error: DecodeErrors) -> Unread {
    Unread::Jpeg(error.to_string().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::odd;
    use super::*;

    fn decoded(bytes: &[u8]) -> Result<DynamicImage, String> {
        decode(bytes, 1).map(|decoded| decoded.picture).map_err(|e| e.to_string())
    }

    const CUT: &str = "it is cut off: a part of the picture is missing";
    const WHOLE: [&str; 6] =
        ["baseline.jpg", "progressive.jpg", "restarts.jpg", "grey.jpg", "flat.jpg", "progressive-flat.jpg"];

    #[test]
    fn what_is_cut_anywhere_is_told() {
        for name in WHOLE {
            let bytes = odd(name);
            let from = Outline::of(&bytes).first_scan();
            assert!((3..from).all(|length| decoded(&bytes[..length]).is_err_and(|why| why == CUT)), "{name}");
            let (mut told, mut lost) = (0, Vec::new());
            let whole = decoded(&bytes).unwrap();
            for length in from..bytes.len() - 2 {
                match decoded(&bytes[..length]) {
                    // Of the last byte there may be but padding.
                    Ok(picture) => lost.extend((picture != whole).then_some(length)),
                    Err(why) => told += usize::from(why == CUT),
                }
            }
            assert!(lost.is_empty(), "{name}: of {} bytes {lost:?} make another picture", bytes.len());
            assert!(told + 10 > bytes.len() - from, "{name}: {told}");
            // A tool may have put an end mark there.
            let half = [&bytes[..(from + bytes.len()) / 2], &[0xff, 0xd9]].concat();
            assert_eq!(decoded(&half).unwrap_err(), CUT, "{name}");
        }
    }

    #[test]
    fn what_is_only_untidy_is_sound() {
        for name in WHOLE {
            let bytes = odd(name);
            let whole = decoded(&bytes).unwrap();
            for (what, end) in [("garbage", &b"and so on"[..]), ("zeros", &[0; 99]), ("another picture", &bytes)] {
                assert!(decoded(&[&bytes, end].concat()).as_ref() == Ok(&whole), "{name} and {what}");
            }
            for missing in [1, 2] {
                assert!(decoded(&bytes[..bytes.len() - missing]).as_ref() == Ok(&whole), "{name} without {missing}");
            }
        }
    }

    #[test]
    fn data_that_are_damaged_are_told() {
        let mut bytes = odd("baseline.jpg");
        let from = Outline::of(&bytes).first_scan();
        bytes[from + 40..from + 60].copy_from_slice(&[0xff, 0].repeat(10));
        let why = decoded(&bytes).err().unwrap_or_default();
        assert!(why.starts_with("it is damaged: ") || why == CUT, "{why}");
    }

    #[test]
    fn chroma_that_is_finer_than_luma_is_refused() {
        let why = "its colours are sampled finer than its brightness, which no decoder here reads: save it anew";
        assert_eq!(decoded(&odd("fine-chroma.jpg")).unwrap_err(), why);
        assert!(decoded(&odd("coarse-chroma.jpg")).is_ok());
    }
}
