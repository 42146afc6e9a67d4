//! Many small pictures as one.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use super::draw::room;
use super::{Protocol, Window};

/// How a contact sheet is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// The longest side of a picture.
    side: u32,
    /// Between pictures.
    gap: u32,
    in_a_row: u32,
    rows: u32,
}

/// Longest sides on half blocks and on pixels, and what smaller ones are enlarged to on pixels.
const SIDES: [u32; 3] = [18, 96, 48];
/// More rows tell nothing more.
const ROWS: u32 = 4;

impl Sheet {
    /// For pictures whose longest side is this.
    pub(crate) fn of(native: u32, protocol: Protocol, window: Window) -> Sheet {
        let [small, large, least] = SIDES;
        let (side, gap) = match protocol {
            Protocol::Blocks { .. } => (native.clamp(1, small), 1),
            _ if native < least => (native.max(1) * (least / native.max(1)), 4),
            _ => (native.min(large), 4),
        };
        let [width, height] = room(protocol, window);
        let fit = |room: u32| ((room + gap) / (side + gap)).max(1);
        Sheet { side, gap, in_a_row: fit(width), rows: fit(height).min(ROWS) }
    }

    /// How many pictures it takes.
    pub(crate) fn count(self) -> u32 {
        self.in_a_row * self.rows
    }

    /// A picture as it is on the sheet: small ones enlarged by whole numbers.
    pub(crate) fn thumbnail(self, picture: &RgbImage) -> RgbImage {
        let (width, height) = picture.dimensions();
        let longest = width.max(height);
        let times = self.side / longest.max(1);
        let side = |of: u32| if times > 0 { of * times } else { (of * self.side / longest).max(1) };
        let filter = if times > 0 { FilterType::Nearest } else { FilterType::Triangle };
        imageops::resize(picture, side(width), side(height), filter)
    }

    /// The sheet of thumbnails, each in the middle of its place.
    pub(crate) fn compose(self, thumbnails: &[RgbImage]) -> RgbImage {
        let count = (thumbnails.len() as u32).clamp(1, self.count());
        let (columns, rows) = (count.min(self.in_a_row), count.div_ceil(self.in_a_row));
        let step = self.side + self.gap;
        let mut sheet = RgbImage::from_pixel(columns * step - self.gap, rows * step - self.gap, Rgb([255; 3]));
        for (index, picture) in (0..count).zip(thumbnails) {
            let middle = |of: u32| i64::from((self.side - of.min(self.side)) / 2);
            let at = |place: u32, of: u32| i64::from(place * step) + middle(of);
            let (column, row) = (index % self.in_a_row, index / self.in_a_row);
            imageops::replace(&mut sheet, picture, at(column, picture.width()), at(row, picture.height()));
        }
        sheet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { columns: 80, rows: 24, cell: [10, 20] };
    const BLOCKS: Protocol = Protocol::Blocks { true_color: true };

    #[test]
    fn a_sheet_fits_its_window() {
        for (native, protocol) in
            [(8, BLOCKS), (32, BLOCKS), (512, BLOCKS), (8, Protocol::Sixel), (700, Protocol::Kitty)]
        {
            let sheet = Sheet::of(native, protocol, WINDOW);
            let picture = RgbImage::new(native, native / 2);
            let thumbnails = vec![sheet.thumbnail(&picture); sheet.count() as usize];
            let (width, height) = sheet.compose(&thumbnails).dimensions();
            let [most_width, most_height] = room(protocol, WINDOW);
            assert!(width <= most_width && height <= most_height, "{native} {protocol:?}: {width}×{height}");
            assert!(sheet.count() >= 8, "{native} {protocol:?}: {sheet:?}");
        }
    }

    #[test]
    fn pictures_lie_in_the_middle_of_their_places() {
        let sheet = Sheet::of(2, BLOCKS, WINDOW);
        let black = RgbImage::new(2, 1);
        let composed = sheet.compose(&[sheet.thumbnail(&black), sheet.thumbnail(&black)]);
        assert_eq!(composed.dimensions(), (5, 2));
        let dark: Vec<(u32, u32)> =
            composed.enumerate_pixels().filter(|(_, _, p)| p.0 == [0; 3]).map(|(x, y, _)| (x, y)).collect();
        assert_eq!(dark, [(0, 0), (1, 0), (3, 0), (4, 0)]);
    }
}
