//! `Digits`: the UCI handwritten digits.

use std::fs::File;

use flate2::read::GzDecoder;
use hyper_flow_spec::kinds::Digits;

use crate::NodeError;
use crate::artifacts::dataset::Writer;
use crate::artifacts::samples::Line;
use crate::worker::Context;

const NAMES: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
const SIDE: i64 = 8;
/// The data's darkest shade.
const SHADES: f64 = 16.0;

pub(super) fn run(context: &Context, params: &Digits) -> Result<(), NodeError> {
    let path = context.file(&params.file)?;
    let file = File::open(path).map_err(NodeError::io("read", path))?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(GzDecoder::new(file));
    let mut dataset = Writer::new(context, 1, SIDE, params.masks.is_some())?;
    for (row, values) in reader.deserialize::<Vec<f64>>().enumerate() {
        let example = values.map_err(|e| e.to_string()).and_then(|values| example(&values));
        let (pixels, text) = example.map_err(|e| NodeError::content(path, format!("row {}: {e}", row + 1)))?;
        let mask = params.masks.map(|threshold| above(&pixels, threshold.get()));
        dataset.push(&pixels, mask.as_deref(), Line::new(text))?;
    }
    dataset.finish(params.held_out.get())
}

/// A mask of the pixels above a share of the darkest shade.
fn above(pixels: &[u8], threshold: f64) -> Vec<u8> {
    pixels.iter().map(|&shade| if f64::from(shade) > threshold * 255.0 { 255 } else { 0 }).collect()
}

/// A row's picture and caption.
fn example(values: &[f64]) -> Result<(Vec<u8>, String), String> {
    let Some((&label, shades)) = values.split_last().filter(|(_, shades)| shades.len() as i64 == SIDE * SIDE) else {
        return Err(format!("{} values where 64 shades and a digit belong", values.len()));
    };
    let name = NAMES.get(label as usize).filter(|_| label.fract() == 0.0 && label >= 0.0);
    let name = name.ok_or_else(|| format!("{label} is no digit"))?;
    if let Some(shade) = shades.iter().find(|shade| !(0.0..=SHADES).contains(*shade)) {
        return Err(format!("a shade of {shade} is not in 0..=16"));
    }
    let pixels = shades.iter().map(|shade| (shade / SHADES * 255.0).round() as u8).collect();
    Ok((pixels, format!("a handwritten digit {name}")))
}
