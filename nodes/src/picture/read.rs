//! Reading pictures of any size as squares.

use std::path::Path;

use image::ImageReader;
use image::imageops::FilterType;

use crate::NodeError;

/// Reads a picture, scales its shorter side to `side` and cuts a square out of its middle; bytes channel by channel.
/// Transparency is laid on white.
pub(crate) fn read_square(path: &Path, side: u32, channels: i64) -> Result<Vec<u8>, NodeError> {
    // By content: many a PNG in the wild is a JPEG by another name.
    let reader =
        ImageReader::open(path).and_then(ImageReader::with_guessed_format).map_err(NodeError::io("read", path))?;
    let picture = reader.decode().map_err(|e| NodeError::content(path, e))?.to_rgba8();
    let mut flat = image::RgbImage::new(picture.width(), picture.height());
    for (x, y, pixel) in picture.enumerate_pixels() {
        let [r, g, b, a] = pixel.0.map(u32::from);
        let over_white = |c: u32| ((c * a + 255 * (255 - a)) / 255) as u8;
        flat.put_pixel(x, y, image::Rgb([over_white(r), over_white(g), over_white(b)]));
    }
    let square = image::DynamicImage::from(flat).resize_to_fill(side, side, FilterType::Lanczos3);
    if channels == 1 {
        return Ok(square.to_luma8().into_raw());
    }
    let rgb = square.to_rgb8();
    Ok((0..3).flat_map(|c| rgb.pixels().map(move |p| p.0[c])).collect())
}
