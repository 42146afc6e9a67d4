//! Sixels, by `icy_sixel`.

use icy_sixel::{SixelError, SixelImage};
use image::RgbImage;

/// The sixels of a picture, in colours chosen for it.
pub(super) fn encode(picture: &RgbImage) -> Result<Vec<u8>, SixelError> {
    let (width, height) = picture.dimensions();
    let rgba = picture.pixels().flat_map(|pixel| [pixel.0[0], pixel.0[1], pixel.0[2], 255]).collect();
    let image = SixelImage::try_from_rgba(rgba, width as usize, height as usize)?;
    Ok(image.encode()?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_nearly_what_was_sent() {
        let picture = RgbImage::from_fn(40, 30, |x, y| image::Rgb([(x * 6) as u8, (y * 8) as u8, 90]));
        let sent = encode(&picture).unwrap();
        assert!(sent.starts_with(b"\x1bP") && sent.ends_with(b"\x1b\\"));
        let decoded = SixelImage::decode(&sent).unwrap();
        assert_eq!((decoded.width, decoded.height), (40, 30));
        let apart = |(own, other): (&image::Rgb<u8>, &[u8])| {
            own.0.iter().zip(other).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / 3.0
        };
        let mean = picture.pixels().zip(decoded.pixels.chunks(4)).map(apart).sum::<f64>() / 1200.0;
        assert!(mean < 12.0, "{mean}");
    }
}
