//! A node's artifact: what it is, what it says of itself, what made it, and what was made from it.

mod dataset;
mod lineage;
mod lora;
mod made;
mod section;

use std::io::{self, Write};

use section::{head, rows, wrapped};

pub(super) use section::{Rows, hanging, plain_rows};

use super::Paint;
use super::metrics::metrics;
use super::units::{bytes, count, number};
use crate::output::harmless;
use crate::output::report::Shown;

/// More files than this are counted.
const FILES: usize = 20;

pub(super) fn shown(out: &mut dyn Write, paint: Paint, report: &Shown) -> io::Result<()> {
    made::made(out, paint, report)?;
    lineage::lineage(out, paint, report)?;
    told(out, paint, report)?;
    if let Some(dataset) = &report.dataset {
        dataset::dataset(out, paint, dataset, report.room)?;
    }
    if let Some(lora) = &report.lora {
        lora::lora(out, paint, report, lora)?;
    }
    let measured: Rows = report.measured.iter().map(|(name, value)| (name.clone(), measured(*value))).collect();
    rows(out, paint, report.room, "measured", measured)?;
    if let Some(found) = &report.metrics {
        head(out, paint, "metrics")?;
        metrics(out, paint, found, report)?;
    }
    for (path, text) in &report.texts {
        head(out, paint, path)?;
        text.trim_end().lines().try_for_each(|line| writeln!(out, "  {}", harmless(line, false)))?;
    }
    rows(out, paint, report.room, "files", files(report))?;
    pictures(out, paint, report)
}

/// A count is a whole number.
fn measured(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e6 { value.to_string() } else { number(value) }
}

/// What the worker said of what it made; of a dataset's left out files there is a list with names.
fn told(out: &mut dyn Write, paint: Paint, report: &Shown) -> io::Result<()> {
    let named = report.dataset.as_ref().is_some_and(|dataset| !dataset.left_out.is_empty());
    let is_listed = |text: &&String| named && text.contains(" left out, all named in ");
    let told = report.made.iter().flat_map(|made| &made.told).filter(|text| !is_listed(text));
    let lines: Vec<&str> = told.flat_map(|text| text.lines()).collect();
    if lines.is_empty() {
        return Ok(());
    }
    head(out, paint, "told")?;
    lines.iter().try_for_each(|line| wrapped(out, report.room, 2, &harmless(line, false)))
}

fn files(report: &Shown) -> Rows {
    let all = report.files.len();
    let shown = if report.room.is_wide() { all } else { FILES };
    let mut files: Rows = report.files.iter().take(shown).map(|file| (file.path.clone(), bytes(file.size))).collect();
    if all > shown {
        files.push((format!("… {} more", all - shown), "`--wide` lists them".to_owned()));
    }
    files.extend(report.empty_directories.iter().map(|path| (format!("{path}/"), "empty".to_owned())));
    files
}

fn pictures(out: &mut dyn Write, paint: Paint, report: &Shown) -> io::Result<()> {
    if report.pictures.is_empty() && report.uncopied.is_none() {
        return Ok(());
    }
    head(out, paint, "pictures")?;
    let shown = if report.room.is_wide() { report.pictures.len() } else { FILES };
    for path in report.pictures.values().take(shown) {
        writeln!(out, "  {}", path.display())?;
    }
    let more = report.more_pictures + report.pictures.len().saturating_sub(shown);
    if let Some(why) = &report.uncopied {
        let text = format!("there are no copies to open ({why}); `hyper-flow export` makes some");
        wrapped(out, report.room, 2, &text)?;
    } else if more > 0 {
        let text = format!("and {}; `hyper-flow export` copies all", count(more as u64, "more picture"));
        wrapped(out, report.room, 2, &text)?;
    }
    Ok(())
}
