//! One node: its log, its export.

use std::io::{self, Write};

use super::Paint;
use super::table::Table;
use super::units::{count, memory, number, seconds};
use crate::output::harmless;
use crate::output::report::{Exported, Logged, Steps};

/// More steps than this are thinned out.
const STEPS: usize = 10;

pub(super) fn logged(out: &mut dyn Write, paint: Paint, report: &Logged) -> io::Result<()> {
    writeln!(out, "{} in run {}: {}", paint.bold(&report.node), report.run, ended(report))?;
    report.messages.each(|message| writeln!(out, "  {}", harmless(&message, false)))?;
    if report.steps.count > 0 {
        steps(out, paint, &report.steps)?;
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
        _ => "not ended",
    };
    let mut text = how.to_owned();
    text.extend(report.seconds.map(|time| format!(" in {}", seconds(time))));
    text.extend(report.memory.map(|had| format!(" with {}", memory(had))));
    text
}

/// Some ten steps, evenly spaced, with the first and the last.
fn steps(out: &mut dyn Write, paint: Paint, steps: &Steps) -> io::Result<()> {
    let last = steps.count - 1;
    let shown = last.clamp(1, STEPS - 1);
    let mut indices: Vec<usize> = (0..=shown).map(|i| i * last / shown).collect();
    indices.dedup();
    let steps = steps.at(&indices);
    let names: Vec<&String> = steps.last().into_iter().flat_map(|step| step.losses.keys()).collect();
    let mut table = Table::default().right(0..=names.len());
    table.push(std::iter::once("step".to_owned()).chain(names.iter().map(|name| (*name).clone())));
    for step in &steps {
        let loss = |name: &&String| step.losses.get(*name).map_or("-".to_owned(), |loss| number(*loss));
        table.push(std::iter::once(format!("{}/{}", step.step, step.of)).chain(names.iter().map(loss)));
    }
    table.write(out, "  ", |row, _, cell| if row == 0 { paint.dim(cell) } else { cell.to_owned() })
}

pub(super) fn exported(out: &mut dyn Write, report: &Exported) -> io::Result<()> {
    let removed = match report.removed.len() as u64 {
        0 => String::new(),
        number => format!(", {} removed", count(number, "file")),
    };
    let written = count(report.written.len() as u64, "file");
    let dest = report.dest.display();
    writeln!(
        out,
        "{} exported to {dest}: {written} written, {} unchanged{removed}",
        report.node,
        report.unchanged.len()
    )
}
