//! How a picture of any size becomes one of the sizes that are wanted: scaled alike in both directions, and cut in its middle.

use std::cmp::Ordering;

/// Widths first, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    /// What the whole picture is scaled to.
    pub(crate) scaled: [u32; 2],
    /// Left and top of what is cut out of that.
    pub(crate) start: [u32; 2],
    /// What it becomes.
    pub(crate) size: [u32; 2],
}

impl Frame {
    /// That of a picture of this size, which becomes one of the `sizes`: of those of the nearest shape the largest. With
    /// `no_upscale` only those count that the picture covers as it is; there may be none.
    pub(crate) fn choose(picture: [u32; 2], sizes: &[[u32; 2]], no_upscale: bool) -> Option<Self> {
        let covers = |size: &&[u32; 2]| !no_upscale || (picture[0] >= size[0] && picture[1] >= size[1]);
        sizes.iter().filter(covers).min_by(|a, b| nearer(picture, **a, **b)).map(|&size| Self::of(picture, size))
    }

    /// That of a picture of this size, which becomes one of another.
    ///
    /// As torchvision's `Resize` and `CenterCrop`: the side that has more to spare is rounded down, and halves are rounded to
    /// even.
    fn of(picture: [u32; 2], size: [u32; 2]) -> Self {
        let [width, height] = picture.map(|side| u64::from(side.max(1)));
        let [wanted_width, wanted_height] = size.map(u64::from);
        let scaled = match wanted_width * height >= wanted_height * width {
            true => [wanted_width, wanted_width * height / width],
            false => [wanted_height * width / height, wanted_height],
        };
        let scaled = scaled.map(|side| u32::try_from(side).unwrap_or(u32::MAX));
        let start = [0, 1].map(|side| (f64::from(scaled[side] - size[side]) / 2.0).round_ties_even() as u32);
        Self { scaled, start, size }
    }
}

/// Which of two sizes is nearer in shape to a picture, then larger.
fn nearer(picture: [u32; 2], a: [u32; 2], b: [u32; 2]) -> Ordering {
    let shape = |[width, height]: [u32; 2]| f64::from(width.max(1)).ln() - f64::from(height.max(1)).ln();
    let off = |size| (shape(size) - shape(picture)).abs();
    let area = |[width, height]: [u32; 2]| u64::from(width) * u64::from(height);
    // Rounding tells no two sizes of one shape apart.
    match (off(a) - off(b)).abs() < 1e-9 {
        true => area(b).cmp(&area(a)).then(a.cmp(&b)),
        false => off(a).total_cmp(&off(b)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SDXL: [[u32; 2]; 5] = [[1024, 1024], [1152, 896], [896, 1152], [1344, 768], [768, 1344]];

    fn chosen(picture: [u32; 2], sizes: &[[u32; 2]], no_upscale: bool) -> Option<[u32; 2]> {
        Frame::choose(picture, sizes, no_upscale).map(|frame| frame.size)
    }

    #[test]
    fn the_nearest_shape_is_chosen() {
        for (picture, size) in [
            ([500, 500], [1024, 1024]),
            ([4000, 3000], [1152, 896]),
            ([3000, 4000], [896, 1152]),
            ([1920, 1080], [1344, 768]),
            ([100, 900], [768, 1344]),
        ] {
            assert_eq!(chosen(picture, &SDXL, false), Some(size), "{picture:?}");
        }
        // 16:9 is nearer to 1.75 than to 1.286, and 1.51 to 1.286 than to 1.75: by ratio, not by difference.
        assert_eq!(chosen([1500, 1000], &SDXL, false), Some([1152, 896]));
    }

    #[test]
    fn of_one_shape_the_largest_that_need_not_be_enlarged() {
        let squares = [[256, 256], [512, 512], [384, 256]];
        assert_eq!(chosen([300, 300], &squares, false), Some([512, 512]));
        assert_eq!(chosen([300, 300], &squares, true), Some([256, 256]));
        assert_eq!(chosen([600, 600], &squares, true), Some([512, 512]));
        assert_eq!(chosen([600, 300], &squares, true), Some([384, 256]));
        assert_eq!(chosen([300, 200], &squares, true), None);
    }

    #[test]
    fn what_is_cut_is_the_middle() {
        let frame = Frame::of([300, 100], [100, 100]);
        assert_eq!(frame, Frame { scaled: [300, 100], start: [100, 0], size: [100, 100] });
        let frame = Frame::of([100, 205], [50, 100]);
        assert_eq!(frame, Frame { scaled: [50, 102], start: [0, 1], size: [50, 100] });
    }

    proptest! {
        #[test]
        fn nothing_is_stretched(
            width in 1u32..5000, height in 1u32..5000, wide in 1u32..2000, high in 1u32..2000,
        ) {
            let Frame { scaled, start, size } = Frame::of([width, height], [wide, high]);
            // One factor for both directions, but for the pixel that rounding takes.
            let by = |side: usize, of: u32| f64::from(scaled[side]) / f64::from(of);
            let (across, down) = (by(0, width), by(1, height));
            let rounded = if scaled[0] == size[0] { height } else { width };
            prop_assert!((across - down).abs() * f64::from(rounded) < 1.0 + 1e-9, "{across} {down}");
            // It is filled, and no more is lost than must be.
            prop_assert!(scaled[0] >= size[0] && scaled[1] >= size[1]);
            prop_assert!(scaled[0] == size[0] || scaled[1] == size[1]);
            prop_assert!((0..2).all(|side| start[side] + size[side] <= scaled[side]));
        }
    }
}
