//! Resizing as Pillow does, to the bit: rows first, then columns, each rounded and cut off to a byte.
//!
//! The cut between the two is seen wherever a filter overshoots, as at the edges of letters and of masks.

use image::{ImageBuffer, Pixel};

/// A picture of bytes.
pub(crate) type Bytes<P> = ImageBuffer<P, Vec<u8>>;

/// Binary places of a weight, `PRECISION_BITS` of Pillow's Resample.c.
const PLACES: u32 = 32 - 8 - 2;
/// Lobes of the filter, and its half-width in pixels.
const LOBES: f64 = 3.0;

/// A part of a scaled picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Left and upper edge.
    pub(crate) start: [u32; 2],
    /// Width and height.
    pub(crate) size: [u32; 2],
}

/// What one pixel of a line is made of.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// The window of a picture that is scaled to width × height by Lanczos' filter, which widens where the picture shrinks:
/// `Image.resize(scaled, LANCZOS).crop(window)`. Nothing outside the window is computed.
pub(crate) fn resize<P: Pixel<Subpixel = u8>>(picture: &Bytes<P>, scaled: [u32; 2], window: Window) -> Bytes<P> {
    let [columns, rows] = [(picture.width(), 0), (picture.height(), 1)]
        .map(|(length, axis)| line(length, scaled[axis], window.start[axis], window.size[axis]));
    let channels = usize::from(P::CHANNEL_COUNT);
    let top = rows.first().map_or(0, |taps| taps.first);
    let bottom = rows.last().map_or(0, |taps| taps.first + taps.weights.len());
    let stride = picture.width() as usize * channels;
    let narrow: Vec<u8> = picture.as_raw()[top * stride..bottom * stride]
        .chunks_exact(stride)
        .flat_map(|row| across(row, channels, &columns))
        .collect();
    let stride = columns.len() * channels;
    let done =
        rows.iter().flat_map(|taps| down(&narrow[(taps.first - top) * stride..], stride, &taps.weights)).collect();
    ImageBuffer::from_raw(window.size[0], window.size[1], done).expect("a pixel for each pair of taps")
}

/// The taps of some pixels of a line of `from` pixels that is scaled to `to`.
fn line(from: u32, to: u32, start: u32, length: u32) -> Vec<Taps> {
    (start..start + length)
        .map(|i| if from == to { Taps { first: i as usize, weights: vec![1 << PLACES] } } else { taps(from, to, i) })
        .collect()
}

fn taps(from: u32, to: u32, i: u32) -> Taps {
    let scale = f64::from(from) / f64::from(to);
    let widened = scale.max(1.0);
    let centre = (f64::from(i) + 0.5) * scale;
    let first = (centre - LOBES * widened + 0.5).max(0.0) as u32;
    let end = ((centre + LOBES * widened + 0.5) as u32).min(from);
    let weights: Vec<f64> = (first..end).map(|x| lanczos((f64::from(x) - centre + 0.5) / widened)).collect();
    let sum: f64 = weights.iter().sum();
    let fixed = |weight: &f64| (weight / sum * f64::from(1 << PLACES)).round() as i32;
    Taps { first: first as usize, weights: weights.iter().map(fixed).collect() }
}

/// sinc(x) sinc(x / 3).
fn lanczos(x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI) };
    if (-LOBES..LOBES).contains(&x) { sinc(x) * sinc(x / LOBES) } else { 0.0 }
}

/// One row, scaled.
fn across(row: &[u8], channels: usize, columns: &[Taps]) -> Vec<u8> {
    let pixel = |Taps { first, weights }: &Taps| {
        let mut sums = [0i32; 4];
        for (pixel, weight) in row[first * channels..].chunks_exact(channels).zip(weights) {
            sums.iter_mut().zip(pixel).for_each(|(sum, &byte)| *sum += i32::from(byte) * weight);
        }
        sums.map(byte).into_iter().take(channels)
    };
    columns.iter().flat_map(pixel).collect()
}

/// One row out of as many as there are weights.
fn down(rows: &[u8], stride: usize, weights: &[i32]) -> Vec<u8> {
    let mut sums = vec![0i32; stride];
    for (row, weight) in rows.chunks_exact(stride).zip(weights) {
        sums.iter_mut().zip(row).for_each(|(sum, &byte)| *sum += i32::from(byte) * weight);
    }
    sums.into_iter().map(byte).collect()
}

/// The nearest byte to a sum of weighted bytes.
fn byte(sum: i32) -> u8 {
    ((sum + (1 << (PLACES - 1))) >> PLACES).clamp(0, 255) as u8
}
