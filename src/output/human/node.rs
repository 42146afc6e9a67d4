//! One node: its record, its log, its export.

use std::io::{self, Write};

use serde_json::Value;

use super::Paint;
use super::metrics::metrics;
use super::plan::provenance;
use super::table::Table;
use super::units::{bytes, count, memory, number, seconds};
use crate::output::harmless;
use crate::output::report::{Exported, Logged, Shown, Steps};
use crate::plan::{State, ron};

/// More steps than this are thinned out.
const STEPS: usize = 10;

pub(super) fn shown(out: &mut dyn Write, paint: Paint, report: &Shown) -> io::Result<()> {
    let node = &report.node;
    writeln!(out, "{} ({} → {})", paint.bold(&node.name), node.kind, report.output)?;
    if node.state != State::Cached {
        writeln!(out, "  {}", paint.state(node.state, &format!("of its last run; since then: {}", node.reason)))?;
    }
    let files = count(report.files.len() as u64, "file");
    writeln!(out, "  artifact  {} ({files}, {})", report.artifact, bytes(report.bytes))?;
    if let Some(key) = &node.key {
        writeln!(out, "  key       {key}")?;
    }
    if let Some(made) = &report.made {
        writeln!(out, "  made      {}", provenance(made))?;
    }
    let mut told = report.made.iter().flat_map(|made| &made.told).flat_map(|text| text.lines()).peekable();
    if told.peek().is_some() {
        writeln!(out, "{}", paint.bold("told"))?;
        told.try_for_each(|line| writeln!(out, "  {}", harmless(line, false)))?;
    }
    section(out, paint, "parameters", params(report))?;
    section(out, paint, "inputs", report.inputs.iter().map(|(port, node)| [port.clone(), node.clone()]))?;
    let files = report.files.iter().map(|file| [file.path.clone(), bytes(file.size)]);
    let empty = report.empty_directories.iter().map(|path| [format!("{path}/"), "empty".to_owned()]);
    section(out, paint, "files", files.chain(empty))?;
    if let Some(found) = &report.metrics {
        writeln!(out, "{}", paint.bold("metrics"))?;
        metrics(out, paint, found)?;
    }
    section(
        out,
        paint,
        "pictures",
        report.pictures.iter().map(|(name, path)| [name.clone(), path.display().to_string()]),
    )
}

/// The parameters that say something; references are told as inputs.
fn params(report: &Shown) -> impl Iterator<Item = [String; 2]> {
    let fields = report.params.as_object().into_iter().flatten();
    let told = fields.filter(|(_, value)| !only_references(value));
    told.map(|(name, value): (&String, &Value)| [name.clone(), ron(Some(value))])
}

/// Whether nothing but references is in a parameter, or nothing at all.
fn only_references(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.iter().all(|(name, value)| name.starts_with('$') || only_references(value)),
        Value::Array(items) => items.iter().all(only_references),
        _ => false,
    }
}

fn section(out: &mut dyn Write, paint: Paint, head: &str, rows: impl Iterator<Item = [String; 2]>) -> io::Result<()> {
    let mut table = Table::default();
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "{}", paint.bold(head))?;
    rows.for_each(|row| table.push(row));
    table.write(out, "  ", |_, column, cell| if column == 0 { paint.dim(cell) } else { cell.to_owned() })
}

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
