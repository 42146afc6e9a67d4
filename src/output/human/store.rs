//! The store as a whole.

use std::io::{self, Write};

use super::units::{bytes, count};
use super::{Column, Fitted, Paint};
use crate::output::Room;
use crate::output::report::{Collected, Gone, Initialised, NodeOf, Rebuilt, Stored, Verified};

pub(super) fn stored(out: &mut dyn Write, paint: Paint, room: Room, report: &Stored) -> io::Result<()> {
    let areas = report.areas();
    let total: u64 = areas.iter().map(|(_, _, size)| size).sum();
    let columns = vec![
        Column::words("PART", areas.map(|(name, _, _)| name.to_owned())),
        Column::numbers("FILES", 0, areas.map(|(_, files, _)| files.to_string())),
        Column::numbers("SIZE", 0, areas.map(|(_, _, size)| bytes(size))),
    ];
    Fitted::list(columns, room).plain(out, paint)?;
    writeln!(out, "{}", paint.bold(&format!("{}: {}", report.store.display(), bytes(total))))
}

pub(super) fn verified(out: &mut dyn Write, report: &Verified) -> io::Result<()> {
    let found = &report.report;
    for problem in &found.problems {
        writeln!(out, "{}: {}", problem.path.display(), problem.what)?;
    }
    let read = format!(
        "{} ({}), {}, {} and {} read",
        count(found.objects, "object"),
        bytes(found.bytes),
        count(found.trees, "tree"),
        count(found.records, "record"),
        count(found.preimages, "preimage"),
    );
    let problems = count(found.problems.len() as u64, "problem");
    match (found.problems.is_empty(), report.repaired) {
        (true, _) => writeln!(out, "{read}: all is as it was written"),
        (false, true) => writeln!(out, "{read}: {problems}, set aside; the next run makes anew what it needs"),
        (false, false) => writeln!(out, "{read}: {problems}"),
    }
}

pub(super) fn collected(out: &mut dyn Write, paint: Paint, room: Room, report: &Collected) -> io::Result<()> {
    let gone = &report.report;
    let verb = if report.dry_run { "would remove" } else { "removed" };
    writeln!(
        out,
        "{verb} {}, {}, {}, {} and {}: {}; {} kept",
        count(gone.records.len() as u64, "record"),
        count(gone.objects, "object"),
        count(gone.checkpoints.len() as u64, "checkpoint"),
        count(report.runs.len() as u64, "run log"),
        count(gone.leftovers, "left-over"),
        bytes(gone.bytes),
        count(gone.kept, "record"),
    )?;
    let columns = vec![
        Column::words("what", report.nodes.iter().map(what)),
        Column::text("node", report.nodes.iter().map(|gone| gone.node.node.clone())),
        Column::text("pipeline", report.nodes.iter().map(|gone| gone.node.pipeline.clone())),
    ];
    let table = Fitted::bare(columns, room, "  ");
    table.write(out, |_| false, |_, name, cell| if name == "node" { cell.to_owned() } else { paint.dim(cell) })?;
    for NodeOf { node, pipeline } in &report.busy {
        writeln!(out, "left alone: {node} of {pipeline}, which a process still works on whose engine is gone")?;
    }
    match gone.written {
        0 => Ok(()),
        left => writeln!(out, "left alone: {}, which something writes to", count(left, "left-over")),
    }
}

fn what(gone: &Gone) -> String {
    let parts = [(gone.artifacts, "artifact"), (gone.checkpoints, "checkpoint")];
    let told = parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, thing)| count(number, thing));
    told.collect::<Vec<_>>().join(", ")
}

pub(super) fn rebuilt(out: &mut dyn Write, report: &Rebuilt) -> io::Result<()> {
    writeln!(out, "index made anew from {}", count(report.records, "record"))
}

pub(super) fn initialised(out: &mut dyn Write, report: &Initialised) -> io::Result<()> {
    let verb = if report.made { "made" } else { "there already" };
    let access = if report.shared { "shared with its group" } else { "private" };
    let opened = match report.changed {
        0 => String::new(),
        changed => format!("; {} opened to it", count(changed, "thing")),
    };
    writeln!(out, "{}: {verb}, {access}{opened}", report.store.display())
}
