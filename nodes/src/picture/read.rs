//! Reading pictures of any size as squares.

use std::io::{BufRead, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::error::{DecodingError, ImageFormatHint};
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageReader, ImageResult, Limits, Luma, Pixel, RgbImage,
    RgbaImage,
};

use super::resize::{Bytes, Window, resize};

/// What the names of pictures end in, in lower case.
pub(crate) const EXTENSIONS: [&str; 4] = ["jpg", "jpeg", "png", "webp"];
/// Bytes of a pixel while it is laid on white.
const RGBA: u64 = 4;
/// Bytes of a picture then: a file of little may be one of very many grey pixels.
const RGBA_LIMIT: u64 = 1 << 30;

/// A picture as it goes into a dataset.
#[derive(Debug)]
pub(crate) struct Square {
    /// Bytes channel by channel.
    pub(crate) pixels: Vec<u8>,
    /// How opaque each pixel is, if that was asked for.
    pub(crate) mask: Option<Vec<u8>>,
    /// Whether the file says how opaque its pixels are.
    pub(crate) has_alpha: bool,
}

/// What is wanted of pictures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// Height and width.
    pub(crate) side: u32,
    /// 3 is RGB, 1 is grey.
    pub(crate) channels: i64,
    /// Whether their masks are, too.
    pub(crate) masks: bool,
}

/// Reads a picture, scales its shorter side and cuts a square out of its middle. It is turned as its EXIF says, and
/// transparency is laid on white.
///
/// But for the transparency this is what the training scripts of diffusers do, to the bit: torchvision's `Resize` by Lanczos
/// and `CenterCrop` on a PIL picture.
pub(crate) fn read_square(file: impl BufRead + Seek, wanted: Wanted) -> ImageResult<Square> {
    let picture = guarded(|| upright(file))?;
    let rgba = picture.to_rgba8();
    let pixels = square(&on_white(&rgba), wanted.side);
    Ok(Square {
        pixels: if wanted.channels == 1 { DynamicImage::from(pixels).into_luma8().into_raw() } else { planes(&pixels) },
        mask: wanted.masks.then(|| square(&alpha(&rgba), wanted.side).into_raw()),
        has_alpha: picture.color().has_alpha(),
    })
}

/// A decoder that panics has met something that it does not expect: the picture's fault, as far as anybody can tell.
fn guarded<T>(decode: impl FnOnce() -> ImageResult<T>) -> ImageResult<T> {
    let gave_up = || DecodingError::new(ImageFormatHint::Unknown, "its decoder gave up: it is damaged");
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(ImageError::Decoding(gave_up())))
}

/// The whole picture.
fn upright(file: impl BufRead + Seek) -> ImageResult<DynamicImage> {
    // By content: many a PNG in the wild is a JPEG by another name.
    let mut decoder = ImageReader::new(file).with_guessed_format()?.into_decoder()?;
    // A small file may promise a picture that no memory holds.
    Limits::default().reserve(decoder.total_bytes())?;
    let (width, height) = decoder.dimensions();
    at_most(RGBA_LIMIT).reserve(u64::from(width) * u64::from(height) * RGBA)?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn at_most(bytes: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(bytes);
    limits
}

fn on_white(picture: &RgbaImage) -> RgbImage {
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (to, from) in flat.pixels_mut().zip(picture.pixels()) {
        let [r, g, b, a] = from.0.map(u32::from);
        to.0 = [r, g, b].map(|c| ((c * a + 255 * (255 - a)) / 255) as u8);
    }
    flat
}

fn alpha(picture: &RgbaImage) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([picture.get_pixel(x, y).0[3]]))
}

/// Bytes channel by channel.
fn planes(rgb: &RgbImage) -> Vec<u8> {
    (0..3).flat_map(|c| rgb.pixels().map(move |p| p.0[c])).collect()
}

/// The middle of a picture whose shorter side is scaled; the longer one is rounded down.
fn square<P: Pixel<Subpixel = u8>>(picture: &Bytes<P>, side: u32) -> Bytes<P> {
    let lengths = [picture.width(), picture.height()];
    let shorter = u64::from(lengths[0].min(lengths[1]).max(1));
    let scaled = lengths.map(|length| u32::try_from(u64::from(side) * u64::from(length) / shorter).unwrap_or(u32::MAX));
    // Halves are rounded to even, as Python's `round` does.
    let start = scaled.map(|length| (f64::from(length - side) / 2.0).round_ties_even() as u32);
    resize(picture, scaled, Window { start, size: [side; 2] })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;
    use std::path::Path;

    use hyper_flow_diffusion::weights::read_tensors;
    use image::codecs::png::PngEncoder;
    use image::{ExtendedColorType, ImageEncoder};
    use tch::{Device, Kind};

    use super::super::formula;
    use super::*;

    /// A PNG whose EXIF has this orientation.
    fn picture(kind: &str, width: u32, height: u32, orientation: u8) -> Vec<u8> {
        let picture = formula::picture(kind, width, height);
        let mut file = Vec::new();
        let mut encoder = PngEncoder::new(&mut file);
        if orientation > 0 {
            let entry = [0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
            encoder.set_exif_metadata([b"II*\0\x08\0\0\0\x01\0".as_slice(), &entry, &[0; 4]].concat()).unwrap();
        }
        encoder.write_image(picture.as_raw(), width, height, ExtendedColorType::Rgb8).unwrap();
        file
    }

    #[test]
    fn squares_are_those_of_torchvision() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures/pictures.safetensors");
        let cases = read_tensors(&path, Kind::Float, Device::Cpu).unwrap();
        assert_eq!(cases.len(), 15);
        for (case, expected) in cases {
            let (kind, numbers) = case.split_once('-').unwrap();
            let [width, height, side, orientation] =
                <[u32; 4]>::try_from(numbers.split('-').map(|n| n.parse().unwrap()).collect::<Vec<_>>()).unwrap();
            let wanted = Wanted { side, channels: 3, masks: false };
            let file = Cursor::new(picture(kind, width, height, orientation as u8));
            let expected = Vec::<u8>::try_from(expected.flatten(0, -1)).unwrap();
            assert!(read_square(file, wanted).unwrap().pixels == expected, "{case}");
        }
    }

    #[test]
    fn a_thread_of_a_pixels_width_fills_a_square() {
        let wanted = Wanted { side: 9, channels: 3, masks: false };
        let square = read_square(Cursor::new(picture("mask", 1, 60_000, 0)), wanted).unwrap();
        assert_eq!(square.pixels, [0; 3 * 81]);
    }

    #[test]
    fn pictures_that_no_memory_holds_are_refused() {
        // The sizes in the header are believed before the pixels are there.
        let mut wide = picture("mask", 1, 1, 0);
        wide[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        wide[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        let checksum = crc32(&wide[12..29]);
        wide[29..33].copy_from_slice(&checksum.to_be_bytes());
        let wanted = Wanted { side: 512, channels: 3, masks: false };
        let error = |file: Vec<u8>| read_square(Cursor::new(file), wanted).unwrap_err().to_string();
        assert_eq!(error(wide), "Memory limit exceeded");
    }

    #[test]
    fn a_decoder_that_panics_is_an_error() {
        let error = guarded::<()>(|| panic!("outside")).unwrap_err().to_string();
        assert!(error.contains("its decoder gave up"), "{error}");
        assert!(guarded(|| Ok(())).is_ok());
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
    }
}
