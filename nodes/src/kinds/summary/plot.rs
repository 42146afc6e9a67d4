//! The plot: each number by step count, a line for each candidate with its spread.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use hyper_flow_spec::kinds::Spread;
use hyper_flow_spec::metrics::{TEACHER, lower_is_better};
use plotters::coord::combinators::WithKeyPoints;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordi32;
use plotters::prelude::*;

use super::groups::{Group, Groups, spread};
use crate::NodeError;

const PANEL: (u32, u32) = (380, 270);
const COLUMNS: usize = 3;
/// A candidate's line in the legend.
const ENTRY: (i32, i32) = (190, 18);
/// Paul Tol's "bright" and "vibrant" schemes, which differ for the colour-blind too.
const COLOURS: [RGBColor; 10] = [
    RGBColor(0x44, 0x77, 0xaa),
    RGBColor(0xee, 0x66, 0x77),
    RGBColor(0x22, 0x88, 0x33),
    RGBColor(0xcc, 0x99, 0x11),
    RGBColor(0x66, 0xcc, 0xee),
    RGBColor(0xaa, 0x33, 0x77),
    RGBColor(0xee, 0x77, 0x33),
    RGBColor(0x00, 0x99, 0x88),
    RGBColor(0xbb, 0x22, 0x22),
    RGBColor(0x77, 0x77, 0x11),
];
const GREY: RGBColor = RGBColor(0x80, 0x80, 0x80);
/// Above this ratio of the largest to the smallest value the axis is logarithmic.
const WIDE: f64 = 12.0;

/// Between the positions of two step counts.
const STEP: i32 = 100;

/// Points in one panel: (position, mean, spread).
type Line = Vec<(i32, f64, Option<f64>)>;

/// One number.
struct Panel<'g> {
    number: &'g str,
    /// Which colour, and what it draws.
    lines: Vec<(RGBColor, Line)>,
    /// Means that belong to no step count, such as those of real pictures.
    levels: Vec<f64>,
    steps: &'g [i64],
}

/// The plot as SVG.
pub(super) fn draw(groups: &Groups, what: Spread) -> Result<String, NodeError> {
    let candidates = candidates(&groups.rows);
    let steps: Vec<i64> = groups.rows.iter().filter_map(|row| row.steps).collect::<BTreeSet<_>>().into_iter().collect();
    let panels: Vec<Panel<'_>> =
        groups.numbers.iter().map(|number| Panel::of(groups, number, &candidates, &steps, what)).collect();
    let width = PANEL.0 * COLUMNS.min(panels.len().max(1)) as u32;
    let rows = panels.len().div_ceil(COLUMNS) as u32;
    let legend = ENTRY.1 as u32 * legend_lines(&candidates, width) + 14;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width, legend + PANEL.1 * rows)).into_drawing_area();
        root.fill(&WHITE).map_err(failed)?;
        let (top, rest) = root.split_vertically(legend);
        draw_legend(&top, &candidates, width)?;
        let areas = rest.split_evenly((rows as usize, COLUMNS.min(panels.len().max(1))));
        for (panel, area) in panels.iter().zip(areas) {
            panel.draw(&area)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(svg)
}

/// Who draws lines, with its colour; the teacher is grey.
fn candidates(rows: &[Group]) -> Vec<(&str, RGBColor)> {
    let mut found: Vec<(&str, RGBColor)> = Vec::new();
    let mut colours = COLOURS.iter().cycle();
    for row in rows.iter().filter(|row| row.steps.is_some()) {
        if found.iter().all(|(name, _)| *name != row.candidate) {
            let colour = if row.candidate == TEACHER { GREY } else { *colours.next().unwrap_or(&BLACK) };
            found.push((&row.candidate, colour));
        }
    }
    found
}

fn legend_lines(candidates: &[(&str, RGBColor)], width: u32) -> u32 {
    (candidates.len() as u32).div_ceil((width / ENTRY.0 as u32).max(1))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_legend(area: &Area<'_>, candidates: &[(&str, RGBColor)], width: u32) -> Result<(), NodeError> {
    let columns = (width as i32 / ENTRY.0).max(1);
    for (i, (name, colour)) in candidates.iter().enumerate() {
        let (x, y) = (12 + i as i32 % columns * ENTRY.0, 10 + i as i32 / columns * ENTRY.1);
        area.draw(&PathElement::new([(x, y + 6), (x + 18, y + 6)], colour.stroke_width(2))).map_err(failed)?;
        area.draw(&Circle::new((x + 9, y + 6), 3, colour.filled())).map_err(failed)?;
        area.draw(&Text::new((*name).to_owned(), (x + 24, y), ("sans-serif", 13))).map_err(failed)?;
    }
    Ok(())
}

impl<'g> Panel<'g> {
    fn of(
        groups: &'g Groups,
        number: &'g str,
        candidates: &[(&str, RGBColor)],
        steps: &'g [i64],
        what: Spread,
    ) -> Panel<'g> {
        let line = |i: usize, candidate: &str| {
            // Beside each other, so that none hides another's spread.
            let beside = (2 * i as i32 + 1) * STEP / (4 * candidates.len() as i32) - STEP / 4;
            let point = |row: &Group| {
                let position = steps.iter().position(|steps| Some(*steps) == row.steps)?;
                let repeats = row.repeats(number).filter(|repeats| repeats.mean.is_finite())?;
                Some((position as i32 * STEP + beside, repeats.mean, spread(&repeats, what)))
            };
            groups.rows.iter().filter(|row| row.candidate == candidate).filter_map(point).collect()
        };
        let lines = candidates.iter().enumerate().map(|(i, (name, colour))| (*colour, line(i, name))).collect();
        let level = |row: &Group| row.repeats(number).map(|repeats| repeats.mean).filter(|mean| mean.is_finite());
        let levels = groups.rows.iter().filter(|row| row.steps.is_none()).filter_map(level).collect();
        Panel { number, lines, levels, steps }
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), NodeError> {
        let (lowest, highest) = self.extent();
        if lowest > 0.0 && highest / lowest > WIDE {
            let (lowest, highest) = (lowest / 1.15, highest * 1.15);
            self.draw_on(area, (lowest..highest).log_scale().with_key_points(round_numbers(lowest, highest)))
        } else {
            let margin = if highest > lowest { 0.08 * (highest - lowest) } else { 0.05 * highest.abs().max(1e-6) };
            self.draw_on(area, lowest - margin..highest + margin)
        }
    }

    fn draw_on<Y>(&self, area: &Area<'_>, y: Y) -> Result<(), NodeError>
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let title = match lower_is_better(self.number) {
            true => format!("{} (lower is better)", self.number),
            false => self.number.to_owned(),
        };
        let ticks = (0..self.steps.len() as i32).map(|step| step * STEP).collect();
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", 15))
            .margin(8)
            .x_label_area_size(34)
            .y_label_area_size(52)
            .build_cartesian_2d(self.positions().with_key_points(ticks), y)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .x_labels(self.steps.len())
            .y_labels(6)
            .x_label_formatter(&|position| self.label(*position))
            .y_label_formatter(&|value| short(*value))
            .x_desc("steps")
            .draw()
            .map_err(failed)?;
        self.draw_lines(&mut chart)
    }

    fn draw_lines<Y>(&self, chart: &mut Chart<'_, '_, Y>) -> Result<(), NodeError>
    where
        Y: Ranged<ValueType = f64>,
    {
        let ends = self.positions();
        for level in &self.levels {
            let dashes = DashedLineSeries::new([(ends.start, *level), (ends.end, *level)], 5, 4, GREY.stroke_width(1));
            chart.draw_series(dashes).map_err(failed)?;
        }
        for (colour, line) in &self.lines {
            let means = line.iter().map(|(x, mean, _)| (*x, *mean));
            chart.draw_series(LineSeries::new(means.clone(), colour.mix(0.6).stroke_width(1))).map_err(failed)?;
            chart.draw_series(means.map(|mean| Circle::new(mean, 3, colour.filled()))).map_err(failed)?;
            let bars = line.iter().filter_map(|(x, mean, spread)| {
                let spread = (*spread)?;
                Some(ErrorBar::new_vertical(*x, mean - spread, *mean, mean + spread, colour.stroke_width(1), 5))
            });
            chart.draw_series(bars).map_err(failed)?;
        }
        Ok(())
    }

    /// The least and the largest value, spreads included where they leave a logarithm.
    fn extent(&self) -> (f64, f64) {
        let means =
            self.lines.iter().flat_map(|(_, line)| line).map(|(_, mean, spread)| (*mean, spread.unwrap_or(0.0)));
        let all: Vec<(f64, f64)> = means.chain(self.levels.iter().map(|level| (*level, 0.0))).collect();
        let positive = all.iter().all(|(mean, _)| *mean > 0.0);
        let low = all.iter().map(|(mean, spread)| match mean - spread {
            below if positive && below <= 0.0 => *mean,
            low => low,
        });
        let high = all.iter().map(|(mean, spread)| mean + spread);
        match all.is_empty() {
            true => (0.0, 1.0),
            false => (low.fold(f64::INFINITY, f64::min), high.fold(f64::NEG_INFINITY, f64::max)),
        }
    }

    fn positions(&self) -> Range<i32> {
        -STEP / 2..self.steps.len() as i32 * STEP - STEP / 2
    }

    /// The step count at a position.
    fn label(&self, position: i32) -> String {
        self.steps.get((position / STEP) as usize).map(ToString::to_string).unwrap_or_default()
    }
}

type Chart<'a, 'b, Y> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<WithKeyPoints<RangedCoordi32>, Y>>;

/// 1, 2 and 5 in each power of ten of a range.
fn round_numbers(low: f64, high: f64) -> Vec<f64> {
    let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let all = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
    all.filter(|number| (low..high).contains(number)).collect()
}

/// A number in few digits.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn failed<E: std::fmt::Display>(error: E) -> NodeError {
    NodeError::content(Path::new(super::PLOT), error)
}
