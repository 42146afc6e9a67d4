//! Pictures without transparency and, if wanted, without colour: in whole numbers, as Pillow computes them.

use image::{GrayImage, Luma, Rgb, RgbImage, RgbaImage};

/// Laid on white, as `white.paste(picture, mask=alpha)` does: the nearest byte.
pub(crate) fn on_white(picture: &RgbaImage) -> RgbImage {
    let mut flat = RgbImage::new(picture.width(), picture.height());
    for (to, from) in flat.pixels_mut().zip(picture.pixels()) {
        let [r, g, b, a] = from.0.map(u32::from);
        to.0 = [r, g, b].map(|c| ((c * a + 255 * (255 - a) + 127) / 255) as u8);
    }
    flat
}

/// Brightness by the weights of Rec. 601, as `convert("L")` and torchvision's `Grayscale` have it.
pub(crate) fn grey(picture: &RgbImage) -> GrayImage {
    let brightness = |&Rgb([r, g, b]): &Rgb<u8>| {
        (u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16
    };
    let bytes = picture.pixels().map(|pixel| brightness(pixel) as u8).collect();
    GrayImage::from_raw(picture.width(), picture.height(), bytes).expect("a byte for each pixel")
}

/// How opaque each pixel is.
pub(crate) fn alpha(picture: &RgbaImage) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| Luma([picture.get_pixel(x, y).0[3]]))
}

/// Bytes channel by channel.
pub(crate) fn planes(rgb: &RgbImage) -> Vec<u8> {
    (0..3).flat_map(|c| rgb.pixels().map(move |p| p.0[c])).collect()
}
