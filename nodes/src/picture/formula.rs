//! The pictures of tests/parity/kinds_of_pictures.py.

use image::{Rgb, RgbImage};

/// A number of 32 bits that follows no pattern.
fn scatter(x: i64, y: i64, c: i64) -> i64 {
    const BITS: i64 = 0xffff_ffff;
    let z = ((x * 73_856_093) ^ (y * 19_349_663) ^ (c * 83_492_791)) & BITS;
    let z = ((z ^ (z >> 15)) * 0x2c1b_3c6d) & BITS;
    let z = ((z ^ (z >> 12)) * 0x297a_2d39) & BITS;
    z ^ (z >> 15)
}

/// A triangle wave from 0 to `half`.
fn waves(v: i64, half: i64) -> i64 {
    let v = v.rem_euclid(2 * half);
    v.min(2 * half - v)
}

/// A picture of one of the eight kinds.
pub(crate) fn picture(kind: &str, width: u32, height: u32) -> RgbImage {
    let (w, h) = (i64::from(width), i64::from(height));
    let value = |x: i64, y: i64, c: i64| match kind {
        "edges" | "huge" => ((x + 2 * c) / 5 + y / 7) % 2 * 255,
        "photo" | "tiny" => {
            let smooth = waves(3 * x + 2 * y + 40 * c, 160) + waves(x * y / 16, 90);
            smooth + scatter(x, y, c) % 48 + scatter(x / 11, y / 9, c) % 120 - 70
        }
        "gradient" => x * 255 / (w - 1).max(1) * (c + 1) / 3,
        "noise" => scatter(x, y, c) % 256,
        "text" if scatter(x / 2, y / 3, 0) % 4 == 0 && y % 12 < 9 => 15,
        "text" => 255,
        "mask" => {
            let ellipse = (2 * x - w).pow(2) * h * h + (2 * y - h).pow(2) * w * w;
            if 3 * ellipse < 2 * w * w * h * h { 255 } else { 0 }
        }
        kind => panic!("{kind} is no kind of picture"),
    };
    let byte = |x, y, c| value(i64::from(x), i64::from(y), c).clamp(0, 255) as u8;
    RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|c| byte(x, y, c))))
}
