//! What a node said, and the numbers of its training.

use std::io::{self, Write};

use super::curve::curves;
use super::plot::plot;
use super::units::{memory, named_number, seconds};
use super::{Column, Fitted, Paint};
use crate::output::report::{Logged, Sheet, Step, Steps};
use crate::output::{evaluation, harmless};

/// More steps than this are thinned out.
const STEPS: usize = 10;

pub(super) fn logged(out: &mut dyn Write, paint: Paint, report: &Logged) -> io::Result<()> {
    writeln!(out, "{} in run {}: {}", paint.bold(&report.node), report.run, ended(report))?;
    if let Some(name) = &report.named {
        writeln!(out, "  it is called {} there", harmless(name, false))?;
    }
    if !report.went_on_from.is_empty() {
        writeln!(out, "  which went on from run {}", report.went_on_from.join(", "))?;
    }
    report.messages.each(|message| writeln!(out, "  {}", harmless(&message, false)))?;
    match report.plot {
        true => plot(out, paint, report.sheet, &curves(&report.steps, report.sheet))?,
        false if report.steps.count() > 0 => steps(out, paint, &report.steps, report.sheet)?,
        false => {}
    }
    if let Some(metrics) = &report.metrics {
        evaluation(out, paint, metrics, report.sheet.room, &report.show)?;
    }
    for (head, text) in [("standard output", &report.stdout), ("standard error", &report.stderr)] {
        if !text.is_empty() {
            writeln!(out, "{}", paint.bold(head))?;
            text.trim_end().lines().try_for_each(|line| writeln!(out, "{}", harmless(line, false)))?;
        }
    }
    writeln!(out, "{}", paint.dim(&format!("all of it: {}", report.directory.display())))
}

fn ended(report: &Logged) -> String {
    let how = match report.ended.as_deref() {
        Some("node_ran") => "done",
        Some("node_failed") => "failed",
        Some("node_interrupted") => "interrupted",
        _ if report.running => "running",
        _ => "cut off, for the engine was killed",
    };
    let mut text = how.to_owned();
    text.extend(report.seconds.map(|time| format!(" in {}", seconds(time))));
    text.extend(report.memory.map(|had| format!(" with {}", memory(had))));
    text
}

/// Some ten steps, evenly spaced, with the first and the last; of their numbers the first that there is room for.
fn steps(out: &mut dyn Write, paint: Paint, steps: &Steps, sheet: Sheet) -> io::Result<()> {
    let last = steps.count() - 1;
    let shown = last.clamp(1, STEPS - 1);
    let mut indices: Vec<usize> = (0..=shown).map(|i| i * last / shown).collect();
    indices.dedup();
    let steps = steps.at(&indices);
    let names = steps.last().map(Step::named).unwrap_or_default().into_iter().map(|(name, _)| name);
    let column = |(rank, name): (usize, String)| {
        Column::numbers(&harmless(&name, false), rank, steps.iter().map(|step| cell(step, &name)))
    };
    let first = Column::numbers("step", 0, steps.iter().map(count));
    let columns = std::iter::once(first).chain(names.enumerate().map(column)).collect();
    let table = Fitted::of(columns, Some(sheet.room.columns()));
    table.plain(out, paint)?;
    match table.left_out.as_slice() {
        [] => Ok(()),
        rest => writeln!(out, "{}", paint.dim(&format!("  and {}: see --plot or --json", rest.join(", ")))),
    }
}

fn count(step: &Step) -> String {
    format!("{}/{}", step.step, step.of)
}

fn cell(step: &Step, name: &str) -> String {
    let found = step.named().into_iter().find(|(known, _)| known == name);
    found.map_or("-".to_owned(), |(name, value)| named_number(&name, value))
}
