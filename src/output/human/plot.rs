//! Curves as text: ratatui's chart, drawn into a buffer that is then printed, so that it is text like any other.

use std::io::{self, Write};

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::symbols::Marker;
use ratatui_core::widgets::Widget;
use ratatui_widgets::chart::{Axis, Chart, Dataset, GraphType};
use unicode_width::UnicodeWidthStr;

use super::Paint;
use super::curve::Curve;
use super::units::named_number;
use crate::output::harmless;
use crate::output::report::Sheet;

/// A chart is not narrower, unless the terminal is.
const NARROWEST: usize = 60;
/// Rows of a chart.
const HEIGHT: u16 = 8;
/// Between charts side by side.
const GAP: usize = 3;
/// From so many times the least on, a number that falls is drawn by its logarithm, or its end would be a flat line.
const STEEP: f64 = 50.0;

/// Draws each curve in a chart of its own, as many side by side as there is room for.
pub(super) fn plot(out: &mut dyn Write, paint: Paint, sheet: Sheet, curves: &[Curve]) -> io::Result<()> {
    if curves.is_empty() {
        return writeln!(out, "  it told no numbers that could be drawn");
    }
    let beside = ((sheet.room.columns() + GAP) / (NARROWEST + GAP)).clamp(1, curves.len());
    let width = ((sheet.room.columns() + GAP) / beside).saturating_sub(GAP).max(20);
    for row in curves.chunks(beside) {
        let charts: Vec<Vec<String>> = row.iter().map(|curve| chart(curve, width, sheet.ascii)).collect();
        for line in 0..charts[0].len() {
            let mut text = String::new();
            for chart in &charts {
                let pad = " ".repeat(if text.is_empty() { 0 } else { GAP });
                let painted = if line == 0 { paint.bold(&chart[line]) } else { paint.curve(&chart[line]) };
                text += &(pad + &painted + &" ".repeat(width.saturating_sub(chart[line].width())));
            }
            writeln!(out, "{}", text.trim_end())?;
        }
    }
    Ok(())
}

/// A line that says what it is, and the chart below it.
fn chart(curve: &Curve, width: usize, ascii: bool) -> Vec<String> {
    let steep = is_steep(curve);
    let scale = |value: f64| if steep { value.log10() } else { value };
    let points: Vec<(f64, f64)> = curve.points.iter().map(|(step, value)| (*step, scale(*value))).collect();
    let values = || curve.points.iter().map(|(_, value)| *value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let steps = [curve.points[0].0, curve.points[curve.points.len() - 1].0];
    let label = |value: f64| named_number(&curve.name, value);
    let marker = if ascii { Marker::Custom('*') } else { Marker::Braille };
    let set = Dataset::default().marker(marker).graph_type(GraphType::Line).data(&points);
    let x = Axis::default().bounds(apart(steps)).labels(steps.map(|step| format!("{step:.0}")));
    let y = Axis::default().bounds(apart([scale(low), scale(high)])).labels([label(low), label(high)]);
    let area = Rect::new(0, 0, u16::try_from(width).unwrap_or(u16::MAX), HEIGHT);
    let mut buffer = Buffer::empty(area);
    Chart::new(vec![set]).x_axis(x).y_axis(y).render(area, &mut buffer);
    std::iter::once(head(curve, steep, width, ascii)).chain(rows(&buffer, ascii)).collect()
}

/// What is equal has room around it.
fn apart([low, high]: [f64; 2]) -> [f64; 2] {
    if low < high { [low, high] } else { [low - 1.0, high + 1.0] }
}

fn is_steep(curve: &Curve) -> bool {
    curve.least.0 > 0.0 && curve.most.0 > STEEP * curve.least.0
}

/// `loss  100.0 → 0.5000, least 0.4000 at step 180  (logarithmic)`
fn head(curve: &Curve, steep: bool, width: usize, ascii: bool) -> String {
    let shown = |value: f64| named_number(&curve.name, value);
    let arrow = if ascii { "->" } else { "→" };
    let name = label(&harmless(&curve.name, false));
    let mut text = format!("{name}  {} {arrow} {}", shown(curve.first), shown(curve.last));
    let more = [
        (curve.least.0 < curve.last).then(|| format!(", least {} at step {}", shown(curve.least.0), curve.least.1)),
        steep.then(|| "  (logarithmic)".to_owned()),
    ];
    for piece in more.into_iter().flatten() {
        if text.width() + piece.width() <= width {
            text += &piece;
        }
    }
    text.chars().take(width).collect()
}

/// What a number is, in full, where its name is short.
fn label(name: &str) -> String {
    let (name, of) = name.split_once('.').map_or((name, None), |(name, of)| (name, Some(of)));
    let name = match name {
        "lr" => "learning rate",
        "grad_norm" => "gradient norm",
        "speed" => "samples/s",
        other => other,
    };
    of.map_or_else(|| name.to_owned(), |of| format!("{name} of {of}"))
}

fn rows(buffer: &Buffer, ascii: bool) -> impl Iterator<Item = String> {
    let area = buffer.area;
    (0..area.height).map(move |y| {
        let cells = (0..area.width).filter_map(|x| buffer.cell((x, y)));
        let text: String = cells.map(|cell| if ascii { plain(cell.symbol()) } else { cell.symbol() }).collect();
        text.trim_end().to_owned()
    })
}

/// The axes of a chart, where there is only ASCII.
fn plain(symbol: &str) -> &str {
    match symbol {
        "│" => "|",
        "─" => "-",
        "└" => "+",
        other => other,
    }
}
