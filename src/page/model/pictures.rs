//! The pictures of a run. Here they are names ([`crate::page`] fetches them by these): `a/<artifact>/<path>` for a file of
//! an artifact, `r/<run>/<node's folder>/<file>` for one that was drawn while training.

use hyper_flow_cache::{Digest, Store};
use hyper_flow_spec::Artifact;
use hyper_flow_spec::metrics::{METRICS, Metrics};
use image::{GrayImage, ImageReader};
use serde::{Deserialize, Serialize};
use std::io::Cursor;

use super::node::Node;

/// The picture of an `Eval`: the same noise and captions in every row.
#[derive(Debug, Clone, Serialize)]
pub struct Grid {
    /// The node.
    pub node: String,
    /// The picture.
    pub picture: String,
    /// Its width and height in pixels.
    pub size: [u32; 2],
    /// Where the rows begin: labels are left of it, captions above.
    pub corner: [u32; 2],
    /// The height of a row; 0 if the rows were not found, and the picture can only be shown whole.
    pub row: u32,
    /// Who drew each row, and in how many steps.
    pub rows: Vec<GridRow>,
}

/// A row of a grid.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GridRow {
    /// Who drew.
    pub candidate: String,
    /// In how many steps.
    pub steps: i64,
}

/// The pictures of a `Sample`.
#[derive(Debug, Clone, Serialize)]
pub struct Drawn {
    /// The node.
    pub node: String,
    /// What drew: the LoRA's node, or else the model's.
    pub candidate: String,
    /// In how many steps.
    pub steps: String,
    /// Picture and caption.
    pub pictures: Vec<[String; 2]>,
    /// How many more there are.
    pub more: usize,
}

/// Pictures that were drawn while a node trained.
#[derive(Debug, Clone, Serialize)]
pub struct Training {
    /// The node.
    pub node: String,
    /// The step, and the picture.
    pub samples: Vec<(u64, String)>,
}

/// More pictures of a `Sample` are not shown.
const MOST: usize = 24;

/// What the worker leaves white between pictures, and the height of its letters.
const GAP: u32 = 2;
const GLYPH: u32 = 8;
const LINE: u32 = GLYPH + 2 * GAP;

/// A line of `captions.jsonl`.
#[derive(Deserialize)]
struct Caption {
    file_name: String,
    text: String,
}

impl Grid {
    /// Of a node with an `Eval`'s artifact.
    pub(super) fn of(node: &Node, store: &Store) -> Option<Grid> {
        let artifact: Digest = node.made.as_ref().filter(|_| node.yields(Artifact::Metrics))?.artifact.parse().ok()?;
        let metrics: Metrics = serde_json::from_slice(&store.read(&artifact, METRICS).ok()?).ok()?;
        let row =
            |row: &hyper_flow_spec::metrics::Row| Some(GridRow { candidate: row.candidate.clone(), steps: row.steps? });
        let rows: Vec<GridRow> = metrics.rows.iter().filter_map(row).collect();
        let bytes = store.read(&artifact, "grid.png").ok()?;
        let reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().ok()?;
        let (width, height) = reader.into_dimensions().ok()?;
        let label = rows.iter().map(|row| label(row).chars().count()).max()? as u32;
        let left = label * GLYPH + 4 * GAP;
        let found = found(&bytes, [width, height], left, rows.len() as u32);
        Some(Grid {
            node: node.name.clone(),
            picture: format!("a/{artifact}/grid.png"),
            size: [width, height],
            corner: [left, found.map_or(0, |[top, _]| top)],
            row: found.map_or(0, |[_, row]| row),
            rows,
        })
    }
}

/// As the worker writes it beside the row.
fn label(row: &GridRow) -> String {
    format!("{}, {} step{}", row.candidate, row.steps, if row.steps == 1 { "" } else { "s" })
}

/// Pictures larger than this are not decoded to look for rows.
const PIXELS: u32 = 64 << 20;

/// The top of the first row, and the height of one: whole numbers that fill the picture, with white between the rows.
fn found(bytes: &[u8], [width, height]: [u32; 2], left: u32, rows: u32) -> Option<[u32; 2]> {
    if rows == 0 || width.checked_mul(height)? > PIXELS || left >= width {
        return None;
    }
    let picture = image::load_from_memory(bytes).ok()?.into_luma8();
    let fits = |lines: u32| {
        let top = (1 + lines) * LINE;
        let row = height.checked_sub(top).filter(|rest| rest % rows == 0)? / rows;
        let white = |row_of: u32| (top + row_of * row - GAP..top + row_of * row).all(|y| is_white(&picture, left, y));
        (row > GAP && (1..=rows).all(white)).then_some([top, row])
    };
    (0..40).find_map(fits)
}

fn is_white(picture: &GrayImage, left: u32, y: u32) -> bool {
    (left..picture.width()).all(|x| picture.get_pixel(x, y).0[0] == 255)
}

impl Drawn {
    /// Of a `Sample`.
    pub(super) fn of(node: &Node, store: &Store) -> Option<Drawn> {
        let artifact: Digest = node.made.as_ref().filter(|_| node.yields(Artifact::Images))?.artifact.parse().ok()?;
        let captions = store.read(&artifact, "captions.jsonl").ok()?;
        let lines =
            captions.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Caption>(line).ok());
        let pictures: Vec<[String; 2]> =
            lines.map(|line| [format!("a/{artifact}/{}", line.file_name), line.text]).collect();
        let more = pictures.len().saturating_sub(MOST);
        Some(Drawn {
            node: node.name.clone(),
            candidate: node.input("lora").or(node.input("model")).unwrap_or(&node.name).to_owned(),
            steps: node.param("steps").unwrap_or_default().to_owned(),
            pictures: pictures.into_iter().take(MOST).collect(),
            more,
        })
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, Luma};

    use super::*;

    fn png(picture: &GrayImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn the_rows_of_a_grid_are_found() {
        let (left, top, rows, cell) = (40, 2 * LINE, 3, 18);
        let mut picture = GrayImage::from_pixel(100, top + rows * cell, Luma([255]));
        for row in 0..rows {
            for y in 0..cell - GAP {
                (left..90).for_each(|x| picture.put_pixel(x, top + row * cell + y, Luma([9])));
            }
        }
        let size = [picture.width(), picture.height()];
        assert_eq!(found(&png(&picture), size, left, rows), Some([top, cell]));
        picture.put_pixel(50, top + cell - 1, Luma([9]));
        assert_eq!(found(&png(&picture), size, left, rows), None, "another layout");
    }
}
