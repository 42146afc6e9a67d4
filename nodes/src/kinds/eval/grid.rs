//! The picture of all rows: same noise and captions in each.

use std::collections::BTreeMap;

use image::RgbImage;
use tch::Tensor;

use super::subject::{Easel, Subject};
use crate::picture::{Canvas, GAP, GLYPH, magnification, to_bytes, wrap};

/// Columns at most.
const COLUMNS: usize = 10;
const LINE: u32 = GLYPH + 2 * GAP;

/// Rows of pictures with their labels.
pub(super) struct Sheet<'a> {
    /// Which pictures are shown, and their captions.
    columns: Vec<(i64, &'a str)>,
    /// Labels, and the pictures of each by their column.
    rows: Vec<(String, BTreeMap<usize, RgbImage>)>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(easel: &'a Easel<'_>) -> Self {
        Self { columns: spread(&easel.showcase()), rows: Vec::new() }
    }

    /// Begins a subject's row.
    pub(super) fn begin(&mut self, subject: &Subject<'_>) {
        let steps = subject.steps.get();
        let label = format!("{}, {steps} step{}", subject.name, if steps == 1 { "" } else { "s" });
        self.rows.push((label, BTreeMap::new()));
    }

    /// Takes what is shown out of some pictures of the row, the first of which is picture `first`.
    pub(super) fn add(&mut self, first: i64, pictures: &Tensor) {
        let Some((_, row)) = self.rows.last_mut() else { return };
        let here = first..first + pictures.size()[0];
        for (column, (at, _)) in self.columns.iter().enumerate().filter(|(_, (at, _))| here.contains(at)) {
            row.extend(to_bytes(&pictures.narrow(0, at - first, 1)).pop().map(|picture| (column, picture)));
        }
    }

    /// All of it: what the captions have in common above, what differs over each column, labels on the left.
    pub(super) fn canvas(&self) -> Canvas {
        let Some(first) = self.rows.first().and_then(|(_, pictures)| pictures.values().next()) else {
            return Canvas::new(1, 1);
        };
        let zoom = magnification(i64::from(first.height()));
        let (cell_w, cell_h) = (first.width() * zoom + GAP, first.height() * zoom + GAP);
        let longest = self.rows.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0) as u32;
        let captions: Vec<&str> = self.columns.iter().map(|(_, caption)| *caption).collect();
        let common = common_prefix(&captions);
        let rest = |caption: &&'a str| wrap(&caption[common.len()..], (cell_w / GLYPH) as usize);
        let rests: Vec<Vec<&str>> = captions.iter().map(rest).collect();
        let lines = rests.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let (left, top) = (longest * GLYPH + 4 * GAP, (1 + lines) * LINE);
        let mut canvas =
            Canvas::new(left + captions.len() as u32 * cell_w + GAP, top + self.rows.len() as u32 * cell_h);
        if !common.is_empty() {
            canvas.text(left, GAP, &format!("{common}..."), 1);
        }
        for (i, rest) in rests.iter().enumerate() {
            for (line, words) in (1..).zip(rest) {
                canvas.text(left + i as u32 * cell_w, line * LINE + GAP, words, 1);
            }
        }
        for (row, (label, pictures)) in self.rows.iter().enumerate() {
            let y = top + row as u32 * cell_h;
            canvas.text(2 * GAP, y + (cell_h - GLYPH) / 2, label, 1);
            for (i, picture) in pictures {
                canvas.paste(left + *i as u32 * cell_w, y, picture, zoom);
            }
        }
        canvas
    }
}

/// Of many columns as many as are shown, evenly spread.
fn spread<T: Copy>(columns: &[T]) -> Vec<T> {
    let shown = columns.len().min(COLUMNS);
    (0..shown).map(|i| columns[i * columns.len() / shown]).collect()
}

/// What all captions begin with, up to the end of a word.
fn common_prefix<'a>(captions: &[&'a str]) -> &'a str {
    let Some((first, rest)) = captions.split_first() else { return "" };
    let ends = first.char_indices().filter(|(_, c)| *c == ' ').map(|(i, _)| i + 1);
    let mut shared = ends.filter(|&end| rest.iter().all(|caption| caption.starts_with(&first[..end])));
    &first[..shared.next_back().unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::{common_prefix, spread};

    #[test]
    fn captions_share_whole_words() {
        assert_eq!(common_prefix(&["a digit six", "a digit seven"]), "a digit ");
        assert_eq!(common_prefix(&["a digit", "the digit"]), "");
        assert_eq!(common_prefix(&[]), "");
    }

    #[test]
    fn columns_are_of_all_captions() {
        assert_eq!(spread(&[1, 2, 3]), [1, 2, 3]);
        assert_eq!(spread(&(0..100).collect::<Vec<_>>()), [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
        assert!(spread::<i32>(&[]).is_empty());
    }
}
