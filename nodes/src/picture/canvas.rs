//! Drawing pictures and labels side by side.

use std::path::Path;

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use image::{Rgb, RgbImage};
use tch::{Device, Kind, Tensor};

use crate::NodeError;

/// Width and height of a character.
pub(crate) const GLYPH: u32 = 8;
const BACKGROUND: Rgb<u8> = Rgb([255, 255, 255]);
const INK: Rgb<u8> = Rgb([20, 20, 20]);
/// Pictures smaller than this are enlarged by a whole factor, to be seen.
const VISIBLE: i64 = 64;
/// Characters that a label has room for, however few the pictures below it.
const LABEL: usize = 40;
/// White between pictures.
pub(crate) const GAP: u32 = 2;

/// A picture in the making.
#[derive(Debug)]
pub(crate) struct Canvas(RgbImage);

/// How many times a picture of this side is enlarged.
pub(crate) fn magnification(side: i64) -> u32 {
    u32::try_from(VISIBLE / side.max(1)).unwrap_or(1).max(1)
}

impl Canvas {
    /// A white canvas.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self(RgbImage::from_pixel(width, height, BACKGROUND))
    }

    /// Pictures of one size in rows of about the same number as columns.
    pub(crate) fn grid(pictures: &[RgbImage]) -> Self {
        let (width, height) = pictures.first().map_or((1, 1), RgbImage::dimensions);
        let columns = (pictures.len() as f64).sqrt().ceil().max(1.0) as u32;
        let rows = (pictures.len() as u32).div_ceil(columns);
        let zoom = magnification(i64::from(height));
        let (cell_w, cell_h) = (width * zoom + GAP, height * zoom + GAP);
        let mut canvas = Self::new(columns * cell_w + GAP, rows * cell_h + GAP);
        for (i, picture) in pictures.iter().enumerate() {
            let (row, column) = (i as u32 / columns, i as u32 % columns);
            canvas.paste(GAP + column * cell_w, GAP + row * cell_h, picture, zoom);
        }
        canvas
    }

    /// Rows of pictures of one size, each under its label. Few pictures make room for a label of some words.
    pub(crate) fn rows(rows: &[(String, Vec<RgbImage>)]) -> Self {
        let (width, height) = rows.iter().find_map(|(_, row)| row.first()).map_or((1, 1), RgbImage::dimensions);
        let zoom = magnification(i64::from(height));
        let (cell, line) = (width * zoom + GAP, GLYPH + 2 * GAP);
        let columns = rows.iter().map(|(_, row)| row.len()).max().unwrap_or(0) as u32;
        let longest = rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0).min(LABEL) as u32;
        let across = (columns * cell + GAP).max(longest * GLYPH + 2 * GAP);
        let labels: Vec<Vec<&str>> = rows.iter().map(|(label, _)| wrap(label, (across / GLYPH) as usize)).collect();
        let lines = labels.iter().map(Vec::len).sum::<usize>() as u32;
        let mut canvas = Self::new(across, lines * line + rows.len() as u32 * (height * zoom + GAP) + GAP);
        let mut top = 0;
        for ((_, row), label) in rows.iter().zip(labels) {
            for words in label {
                canvas.text(GAP, top + GAP, words, 1);
                top += line;
            }
            for (column, picture) in row.iter().enumerate() {
                canvas.paste(GAP + column as u32 * cell, top, picture, zoom);
            }
            top += height * zoom + GAP;
        }
        canvas
    }

    /// Puts a picture with its upper left corner at (x, y), enlarged.
    pub(crate) fn paste(&mut self, x: u32, y: u32, picture: &RgbImage, zoom: u32) {
        for (px, py, pixel) in picture.enumerate_pixels() {
            self.fill(x + px * zoom, y + py * zoom, zoom, *pixel);
        }
    }

    /// Writes a line of text with its upper left corner at (x, y).
    pub(crate) fn text(&mut self, x: u32, y: u32, text: &str, zoom: u32) {
        for (i, character) in text.chars().enumerate() {
            let glyph = BASIC_FONTS.get(character).or_else(|| LATIN_FONTS.get(character)).unwrap_or([0xff; 8]);
            for (row, bits) in glyph.into_iter().enumerate() {
                for column in (0..GLYPH).filter(|column| bits >> column & 1 == 1) {
                    let left = x + (i as u32 * GLYPH + column) * zoom;
                    self.fill(left, y + row as u32 * zoom, zoom, INK);
                }
            }
        }
    }

    /// A square; what lies outside is cut off.
    fn fill(&mut self, x: u32, y: u32, side: u32, colour: Rgb<u8>) {
        for (dx, dy) in (0..side).flat_map(|dx| (0..side).map(move |dy| (dx, dy))) {
            if let Some(pixel) = self.0.get_pixel_mut_checked(x + dx, y + dy) {
                *pixel = colour;
            }
        }
    }
}

/// A text in lines of at most `width` characters, broken after spaces and hyphens where there are any.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<&str> {
    let (mut lines, mut rest) = (Vec::new(), text);
    while rest.chars().count() > width {
        let end = rest.char_indices().nth(width).map_or(rest.len(), |(i, _)| i);
        // A space after the last character that fits needs no room.
        let room = &rest[..end + usize::from(rest[end..].starts_with(' '))];
        let at = room.rfind([' ', '-']).map_or(end, |i| i + 1);
        lines.push(rest[..at].trim_end());
        rest = &rest[at..];
    }
    lines.push(rest);
    lines
}

/// Pictures (n, c, h, w) in [−1, 1] as bytes; one channel is grey.
pub(crate) fn to_bytes(pictures: &Tensor) -> Vec<RgbImage> {
    let scaled = ((pictures.detach().to_kind(Kind::Float) + 1.0) * 127.5).round().clamp(0.0, 255.0);
    let size = scaled.size();
    let rgb = if size[1] == 1 { scaled.expand([size[0], 3, size[2], size[3]], false) } else { scaled };
    let bytes = rgb.permute([0, 2, 3, 1]).contiguous().to_device(Device::Cpu).to_kind(Kind::Uint8);
    let image = |i: i64| {
        let flat = Vec::<u8>::try_from(bytes.get(i).flatten(0, -1)).expect("a flat tensor of bytes");
        RgbImage::from_raw(size[3] as u32, size[2] as u32, flat).expect("three bytes a pixel")
    };
    (0..size[0]).map(image).collect()
}

/// Writes a PNG.
pub(crate) fn write_png(path: &Path, canvas: &Canvas) -> Result<(), NodeError> {
    save(path, &canvas.0)
}

/// Writes a picture as a PNG.
pub(crate) fn save(path: &Path, picture: &RgbImage) -> Result<(), NodeError> {
    picture.save_with_format(path, image::ImageFormat::Png).map_err(|e| NodeError::content(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_bytes() {
        let x = Tensor::from_slice(&[-1.0f32, 0.0, 1.0, 3.0]).reshape([1, 1, 2, 2]);
        assert_eq!(to_bytes(&x)[0].as_raw().as_slice(), [0, 0, 0, 128, 128, 128, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn small_pictures_are_enlarged_in_a_grid() {
        let grid = Canvas::grid(&to_bytes(&Tensor::ones([5, 1, 8, 8], (Kind::Float, Device::Cpu))));
        assert_eq!((grid.0.width(), grid.0.height()), (3 * 66 + 2, 2 * 66 + 2));
    }

    #[test]
    fn rows_have_room_for_their_labels() {
        let pictures = to_bytes(&Tensor::ones([2, 1, 64, 64], (Kind::Float, Device::Cpu)));
        let size = |label: &str| {
            let canvas = Canvas::rows(&[(label.to_owned(), pictures.clone()), ("b".to_owned(), pictures.clone())]);
            (canvas.0.width(), canvas.0.height())
        };
        assert_eq!(size("a"), (2 * 66 + 2, 2 * (12 + 66) + 2));
        assert_eq!(size(&"a".repeat(30)), (30 * 8 + 4, 2 * (12 + 66) + 2));
        assert_eq!(size(&"a word ".repeat(10)), (40 * 8 + 4, 3 * 12 + 2 * 66 + 2), "in two lines");
    }

    #[test]
    fn long_captions_are_wrapped() {
        assert_eq!(wrap("seven", 8), ["seven"]);
        assert_eq!(wrap("judge, medium-dark skin", 8), ["judge,", "medium-", "dark", "skin"]);
        assert_eq!(wrap("mermaids swim", 8), ["mermaids", "swim"]);
        assert_eq!(wrap("grandmother", 8), ["grandmot", "her"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn text_leaves_ink() {
        let mut canvas = Canvas::new(16, 8);
        canvas.text(0, 0, "A ", 1);
        let inked =
            |from: u32, to: u32| canvas.0.enumerate_pixels().any(|(x, _, p)| (from..to).contains(&x) && *p == INK);
        assert!(inked(0, 8) && !inked(8, 16));
    }
}
