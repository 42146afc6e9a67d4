//! A picture on a terminal.

use std::borrow::Cow;
use std::io::{self, Write};

use image::RgbImage;
use image::imageops::{self, FilterType};

use super::{Protocol, Undrawn, Window, blocks, iterm, kitty, sixel};

/// What a terminal is sent for a picture, made smaller to fit its window, and the end of its last line.
pub(crate) fn draw(picture: &RgbImage, protocol: Protocol, window: Window) -> Result<Vec<u8>, Undrawn> {
    let shown = fitted(picture, room(protocol, window));
    let columns = shown.width().div_ceil(window.cell[0]);
    let mut sent = Vec::new();
    match protocol {
        Protocol::Kitty => kitty::write(&mut sent, &shown, columns),
        Protocol::Iterm => iterm::write(&mut sent, &shown, columns),
        Protocol::Sixel => sent.extend(sixel::encode(&shown).map_err(|error| Undrawn::Unencoded(error.to_string()))?),
        Protocol::Blocks { true_color } => blocks::write(&mut sent, &shown, true_color),
    }
    end(&mut sent, protocol).expect("memory is written without errors");
    Ok(sent)
}

/// Pixels that a picture may have.
pub(super) fn room(protocol: Protocol, window: Window) -> [u32; 2] {
    let [columns, rows] = window.room();
    match protocol {
        Protocol::Blocks { .. } => [columns, 2 * rows],
        _ => [columns * window.cell[0], rows * window.cell[1]],
    }
}

fn fitted(picture: &RgbImage, [width, height]: [u32; 2]) -> Cow<'_, RgbImage> {
    let (w, h) = picture.dimensions();
    if w <= width && h <= height {
        return Cow::Borrowed(picture);
    }
    let scale = (f64::from(width) / f64::from(w)).min(f64::from(height) / f64::from(h));
    let side = |of: u32| ((f64::from(of) * scale).round() as u32).max(1);
    Cow::Owned(imageops::resize(picture, side(w), side(h), FilterType::Triangle))
}

fn end(sent: &mut Vec<u8>, protocol: Protocol) -> io::Result<()> {
    match protocol {
        Protocol::Blocks { .. } => Ok(()),
        _ => writeln!(sent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { columns: 80, rows: 24, cell: [10, 20] };

    #[test]
    fn pictures_fit_their_window_and_keep_their_shape() {
        let blocks = Protocol::Blocks { true_color: true };
        let of = |w, h, protocol| fitted(&RgbImage::new(w, h), room(protocol, WINDOW)).dimensions();
        assert_eq!(of(30, 20, blocks), (30, 20));
        assert_eq!(of(780, 100, blocks), (78, 10));
        assert_eq!(of(420, 840, blocks), (21, 42));
        assert_eq!(of(10_000, 1, blocks), (78, 1));
        assert_eq!(of(780, 420, Protocol::Sixel), (780, 420));
        assert_eq!(of(1560, 400, Protocol::Kitty), (780, 200));
    }
}
