//! Plans, reasons and lists.

use std::io::{self, Write};

use super::shown::hanging;
use super::units::{ago, bytes, memory, seconds};
use super::{Column, Fitted, Paint};
use crate::output::report::{Listed, ListedNode, NodeState, Planned, Why};
use crate::output::room::{Room, wrap};
use crate::plan::{Provenance, State, attempted};
use crate::runs::Attempted;

pub(super) fn planned(out: &mut dyn Write, paint: Paint, room: Room, report: &Planned) -> io::Result<()> {
    let cells = |text: &dyn Fn(&NodeState) -> String| report.nodes.iter().map(text).collect::<Vec<_>>();
    let columns = vec![
        Column::words("state", cells(&|node| word(node.state).to_owned())),
        Column::text("node", cells(&|node| node.name.clone())),
        Column::words("kind", cells(&|node| node.kind.to_owned())).rank(1),
        Column::text("reason", cells(&|node| node.reason.clone())),
    ];
    let paint_cell = |row: usize, name: &str, cell: &str| match (name, report.nodes[row - 1].state) {
        ("state", state) => paint.state(state, cell),
        ("kind", _) | (_, State::Cached) => paint.dim(cell),
        _ => cell.to_owned(),
    };
    Fitted::bare(columns, room, "").write(out, |_| false, paint_cell)?;
    let total = format!("{}: {}", report.pipeline, totals(&report.nodes));
    wrap(&total, room.rows()).iter().try_for_each(|line| writeln!(out, "{}", paint.bold(line)))
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

pub(super) fn why(out: &mut dyn Write, paint: Paint, room: Room, report: &Why) -> io::Result<()> {
    let node = &report.node;
    let state = paint.state(node.state, word(node.state));
    writeln!(out, "{} ({}): {state}", paint.bold(&node.name), node.kind)?;
    if let Some(attempt) = node.attempt.as_ref().filter(|_| !report.causes.is_empty()) {
        hanging(out, room, &attempted(attempt))?;
    }
    for cause in &report.causes {
        hanging(out, room, &cause.text)?;
    }
    if report.causes.is_empty() {
        hanging(out, room, &node.reason)?;
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
        Some(made) => hanging(out, room, &format!("made {}", provenance(made))),
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

pub(super) fn listed(out: &mut dyn Write, paint: Paint, room: Room, report: &Listed) -> io::Result<()> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let cells = |text: &dyn Fn(&ListedNode) -> String| report.nodes.iter().map(text).collect::<Vec<_>>();
    let columns = vec![
        Column::text("NODE", cells(&|node| node.name.clone())),
        Column::words("KIND", cells(&|node| node.kind.to_owned())).rank(2),
        Column::words("ARTIFACT", cells(&|node| node.output.to_string())).rank(3),
        Column::words("STATE", cells(&|node| standing(node).to_owned())),
        Column::numbers("SIZE", 1, cells(&|node| or_dash(node.bytes.map(bytes)))),
        Column::words("KEY", cells(&|node| or_dash(node.key.map(|key| key.short())))).rank(5),
        Column::words("USED", cells(&|node| or_dash(node.used.map(ago)))).rank(4),
    ];
    let table = Fitted::list(columns, room);
    let paint_cell = |row: usize, name: &str, cell: &str| match (row, name) {
        (0, _) => paint.dim(cell),
        (row, "STATE") => paint.state(report.nodes[row - 1].state, cell),
        _ => cell.to_owned(),
    };
    table.write(out, |_| false, paint_cell)?;
    table.rest(out, paint)
}
