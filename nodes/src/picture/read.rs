//! Reading pictures of any size as those of a dataset.

use std::io::Read;
use std::path::Path;

use image::Pixel;

use super::decode::{Upright, upright};
use super::flat::{alpha, grey, on_white, planes};
use super::frame::Frame;
use super::resize::{Bytes, Window, resize};
use super::{Remark, Unread};
use crate::files;

/// What the names of pictures end in, in lower case.
pub(crate) const EXTENSIONS: [&str; 10] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// Bytes that a million pixels may take in a file: eight each, and as much again for what is in it besides.
const LARGEST_MEGAPIXEL: u64 = 16_000_000;

/// A picture as it goes into a dataset.
#[derive(Debug)]
pub(crate) struct Picture {
    /// Bytes channel by channel.
    pub(crate) pixels: Vec<u8>,
    /// How opaque each pixel is, if that was asked for.
    pub(crate) mask: Option<Vec<u8>>,
    /// Whether the file says how opaque its pixels are.
    pub(crate) has_alpha: bool,
    /// What is to be told of it.
    pub(crate) remarks: Vec<Remark>,
    /// Width and height of what is in the file, upright.
    pub(crate) original: [u32; 2],
    /// How it was cut out of that.
    pub(crate) frame: Frame,
}

/// What is wanted of pictures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Widths and heights, of which each picture takes one.
    pub(crate) sizes: &'a [[u32; 2]],
    /// Whether only those count that a picture covers as it is.
    pub(crate) no_upscale: bool,
    /// 3 is RGB, 1 is grey.
    pub(crate) channels: i64,
    /// Whether their masks are, too.
    pub(crate) masks: bool,
    /// How many million pixels a picture may have in its file.
    pub(crate) max_megapixels: u64,
}

/// [`read_picture`] of a file.
pub(crate) fn read_file(path: &Path, wanted: Wanted<'_>) -> Result<Picture, Unread> {
    let (file, most) = (files::open(path)?, wanted.max_megapixels);
    let bytes = file.metadata()?.len();
    if bytes > most * LARGEST_MEGAPIXEL {
        return Err(Unread::TooLong { bytes, most });
    }
    let mut content = Vec::new();
    file.take(bytes).read_to_end(&mut content)?;
    read_picture(&content, wanted)
}

/// Reads a picture from the bytes of its file, scales it to the size whose shape is nearest, and cuts off what is too much on
/// both sides. It is turned as its EXIF says, its colours become sRGB, and transparency is laid on white.
///
/// But for the last two this is, for a square, what the training scripts of diffusers do, to the bit: torchvision's `Resize` by
/// Lanczos and `CenterCrop` on a PIL picture. Grey ones are made grey before, by `convert("L")`.
pub(crate) fn read_picture(file: &[u8], wanted: Wanted<'_>) -> Result<Picture, Unread> {
    let Upright { rgba, has_alpha, remarks } = upright(file, wanted.max_megapixels)?;
    let original = [rgba.width(), rgba.height()];
    let Some(frame) = Frame::choose(original, wanted.sizes, wanted.no_upscale) else {
        return Err(Unread::Small { width: original[0], height: original[1] });
    };
    let flat = on_white(&rgba);
    Ok(Picture {
        pixels: match wanted.channels {
            1 => cut(&grey(&flat), frame).into_raw(),
            _ => planes(&cut(&flat, frame)),
        },
        mask: wanted.masks.then(|| cut(&alpha(&rgba), frame).into_raw()),
        has_alpha,
        remarks,
        original,
        frame,
    })
}

fn cut<P: Pixel<Subpixel = u8>>(picture: &Bytes<P>, Frame { scaled, start, size }: Frame) -> Bytes<P> {
    resize(picture, scaled, Window { start, size })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use hyper_flow_diffusion::weights::read_tensors;
    use image::codecs::png::PngEncoder;
    use image::{DynamicImage, ExtendedColorType, ImageEncoder, RgbaImage};
    use tch::{Device, Kind, Tensor};

    use super::super::{formula, odd};
    use super::*;

    const RGB: Wanted<'_> =
        Wanted { sizes: &[[16; 2]], no_upscale: false, channels: 3, masks: false, max_megapixels: 1 };

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

    fn fixture(name: &str) -> Vec<(String, Tensor)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/parity/fixtures").join(name);
        read_tensors(&path, Kind::Float, Device::Cpu).unwrap().into_iter().collect()
    }

    /// The largest difference of bytes, and their mean.
    fn apart(square: &[u8], expected: &Tensor) -> (u8, f64) {
        let expected = Vec::<u8>::try_from(expected.flatten(0, -1)).unwrap();
        assert_eq!(square.len(), expected.len());
        let apart = || square.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b));
        (apart().max().unwrap(), apart().map(f64::from).sum::<f64>() / expected.len() as f64)
    }

    #[test]
    fn squares_are_those_of_torchvision() {
        let cases = fixture("pictures.safetensors");
        assert_eq!(cases.len(), 15);
        for (case, expected) in cases {
            let (kind, numbers) = case.split_once('-').unwrap();
            let [width, height, side, orientation] =
                <[u32; 4]>::try_from(numbers.split('-').map(|n| n.parse().unwrap()).collect::<Vec<_>>()).unwrap();
            let file = picture(kind, width, height, orientation as u8);
            let square = read_picture(&file, Wanted { sizes: &[[side; 2]], ..RGB }).unwrap();
            assert_eq!(apart(&square.pixels, &expected), (0, 0.0), "{case}");
            assert_eq!((square.has_alpha, square.remarks), (false, Vec::new()));
        }
    }

    /// By how much pixels may be off that another decoder or another converter of colours made, and their mean.
    fn tolerance(name: &str) -> (u8, f64) {
        match name.rsplit_once('.') {
            Some((_, "jpg" | "jfif")) => (3, 0.5),
            Some((name, _)) if name.ends_with("-profile") => (2, 0.5),
            _ => (0, 0.0),
        }
    }

    #[test]
    fn pictures_of_every_kind_of_file_are_those_of_pillow() {
        let cases = fixture("odd_pictures.safetensors");
        assert_eq!(cases.len(), 50);
        for (case, expected) in cases {
            let (name, channels) = case.rsplit_once('/').unwrap();
            let wanted = Wanted { channels: channels.parse().unwrap(), ..RGB };
            let (worst, mean) = apart(&read_picture(&odd(name), wanted).unwrap().pixels, &expected);
            let allowed = tolerance(name);
            assert!(worst <= allowed.0 && mean <= allowed.1, "{case}: {worst}, mean {mean}");
        }
    }

    #[test]
    fn what_is_worth_a_word_is_remarked() {
        let remarks = |name: &str| read_picture(&odd(name), RGB).unwrap().remarks;
        for name in ["p3-profile.png", "p3-profile.webp", "p3-profile.tiff", "gamma-profile.png", "grey-profile.png"] {
            assert_eq!(remarks(name), [Remark::Converted], "{name}");
        }
        for name in ["broken-icc.png", "short-icc.jpg", "other-icc.png"] {
            assert_eq!(remarks(name), [Remark::Profile], "{name}");
        }
        for name in ["frames.gif", "frames.webp", "frames.png", "pages.tiff"] {
            assert_eq!(remarks(name), [Remark::Several], "{name}");
        }
        for name in ["cmyk.jpg", "cmyk-icc.jpg"] {
            assert_eq!(remarks(name), [Remark::Inks], "{name}");
        }
        for name in ["srgb-icc.png", "palette.gif", "plain.bmp", "plain.tiff", "baseline.jpg", "photo.jfif"] {
            assert_eq!(remarks(name), [], "{name}");
        }
    }

    #[test]
    fn white_and_grey_are_the_nearest_bytes() {
        let square = |pixel: [u8; 4], channels| {
            let picture = RgbaImage::from_pixel(2, 2, image::Rgba(pixel));
            let mut file = std::io::Cursor::new(Vec::new());
            DynamicImage::from(picture).write_to(&mut file, image::ImageFormat::Png).unwrap();
            read_picture(file.get_ref(), Wanted { sizes: &[[1; 2]], no_upscale: false, channels, ..RGB })
                .unwrap()
                .pixels
        };
        let greys = [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]].map(|pixel| square(pixel, 1));
        assert_eq!(greys, [[76], [150], [29]]);
        for (value, alpha) in (0..=255u8).step_by(5).flat_map(|value| (0..=255u8).map(move |alpha| (value, alpha))) {
            let exact = (f64::from(value) * f64::from(alpha) + 255.0 * f64::from(255 - alpha)) / 255.0;
            let flat = on_white(&RgbaImage::from_pixel(1, 1, image::Rgba([value, value, value, alpha])));
            assert_eq!(flat.as_raw()[0], exact.round() as u8, "{value} {alpha}");
        }
    }

    #[test]
    fn a_thread_of_a_pixels_width_fills_a_square() {
        let square =
            read_picture(&picture("mask", 1, 60_000, 0), Wanted { sizes: &[[9; 2]], no_upscale: false, ..RGB })
                .unwrap();
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
        let error = |file: &[u8]| read_picture(file, RGB).unwrap_err().to_string();
        let words = "more than 1 million: raise `max_megapixels` (each million takes up to 15 MB)";
        assert_eq!(error(&wide), format!("it has 60000×60000 pixels, {words}"));
        assert_eq!(error(&picture("mask", 1001, 1000, 0)), format!("it has 1001×1000 pixels, {words}"));
        assert!(read_picture(&picture("mask", 1000, 1000, 0), RGB).is_ok());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.png");
        File::create(&path).unwrap().set_len(16_000_001).unwrap();
        let long = "it has 16000001 bytes, more than 1 million pixels have: raise `max_megapixels`";
        assert_eq!(read_file(&path, RGB).unwrap_err().to_string(), long);
        let mut jpeg = odd("baseline.jpg");
        let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        jpeg[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]);
        assert_eq!(error(&jpeg), format!("it has 60000×60000 pixels, {words}"));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
    }
}
