//! Plans, reasons and lists.

use std::io::{self, Write};

use super::Paint;
use super::table::Table;
use super::units::{ago, bytes, memory, seconds};
use crate::output::report::{Listed, ListedNode, NodeState, Planned, Why};
use crate::plan::{Provenance, State, attempted};
use crate::runs::Attempted;

pub(super) fn planned(out: &mut dyn Write, paint: Paint, report: &Planned) -> io::Result<()> {
    let mut table = Table::default();
    for node in &report.nodes {
        table.push([word(node.state), &node.name, node.kind, &node.reason].map(str::to_owned));
    }
    table.write(out, "", |row, column, cell| match (column, report.nodes[row].state) {
        (0, state) => paint.state(state, cell),
        (2, _) | (_, State::Cached) => paint.dim(cell),
        _ => cell.to_owned(),
    })?;
    writeln!(out, "{}", paint.bold(&format!("{}: {}", report.pipeline, totals(&report.nodes))))
}

fn totals(nodes: &[NodeState]) -> String {
    let count = |state| nodes.iter().filter(|node| node.state == state).count();
    match (count(State::Cached), count(State::Run), count(State::Maybe)) {
        (cached, 0, 0) => format!("nothing to do, {cached} cached"),
        (cached, run, 0) => format!("{run} to run, {cached} cached"),
        (cached, run, maybe) => format!("{run} to run, {maybe} maybe, {cached} cached"),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Cached => "cached",
        State::Run => "run",
        State::Maybe => "maybe",
    }
}

/// What became of a node, or else will.
fn standing(node: &ListedNode) -> &'static str {
    match node.attempt.as_ref().map(|attempt| attempt.state) {
        Some(Attempted::Failed) => "failed",
        Some(Attempted::Interrupted) => "interrupted",
        Some(Attempted::Running) => "running",
        None => word(node.state),
    }
}

pub(super) fn why(out: &mut dyn Write, paint: Paint, report: &Why) -> io::Result<()> {
    let node = &report.node;
    let state = paint.state(node.state, word(node.state));
    writeln!(out, "{} ({}): {state}", paint.bold(&node.name), node.kind)?;
    if let Some(attempt) = node.attempt.as_ref().filter(|_| !report.causes.is_empty()) {
        writeln!(out, "  {}", attempted(attempt))?;
    }
    for cause in &report.causes {
        writeln!(out, "  {}", cause.text)?;
    }
    if report.causes.is_empty() {
        writeln!(out, "  {}", node.reason)?;
    }
    let message = node.attempt.iter().filter_map(|attempt| attempt.message.as_deref());
    message.flat_map(|text| text.lines().skip(1)).try_for_each(|line| writeln!(out, "    {line}"))?;
    if let Some(attempt) = &node.attempt {
        writeln!(out, "  in run {}", attempt.run)?;
    }
    if let Some(key) = &node.key {
        writeln!(out, "  key {key}")?;
    }
    match &report.made {
        Some(made) => writeln!(out, "  made {}", provenance(made)),
        None => Ok(()),
    }
}

/// When, where and by what an artifact was made.
pub(super) fn provenance(made: &Provenance) -> String {
    let mut text = format!("{} in {}", ago(made.finished), seconds(made.seconds));
    text.extend(made.memory.map(|had| format!(" with {}", memory(had))));
    text += &format!(", by run {}", made.run);
    if let Some(device) = &made.device {
        text += &format!(", on {device}");
    }
    if let Some(libtorch) = &made.libtorch {
        text += &format!(", libtorch {libtorch}");
    }
    text
}

pub(super) fn listed(out: &mut dyn Write, paint: Paint, report: &Listed) -> io::Result<()> {
    let mut table = Table::new(["NODE", "KIND", "ARTIFACT", "STATE", "SIZE", "KEY", "USED"]).right([4]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    for node in &report.nodes {
        table.push([
            node.name.clone(),
            node.kind.to_owned(),
            node.output.to_string(),
            standing(node).to_owned(),
            or_dash(node.bytes.map(bytes)),
            or_dash(node.key.map(|key| key.short())),
            or_dash(node.used.map(ago)),
        ]);
    }
    table.write(out, "", |row, column, cell| match (row, column) {
        (0, _) => paint.dim(cell),
        (row, 3) => paint.state(report.nodes[row - 1].state, cell),
        _ => cell.to_owned(),
    })
}
