//! The store as a whole.

use std::io::{self, Write};

use super::Paint;
use super::table::Table;
use super::units::{bytes, count};
use crate::output::report::{Collected, Gone, Initialised, NodeOf, Rebuilt, Stored, Verified};

pub(super) fn stored(out: &mut dyn Write, paint: Paint, report: &Stored) -> io::Result<()> {
    let mut table = Table::new(["PART", "FILES", "SIZE"]).right([1, 2]);
    let mut total = 0;
    for (name, files, size) in report.areas() {
        table.push([name.to_owned(), files.to_string(), bytes(size)]);
        total += size;
    }
    table.write(out, "", |row, _, cell| if row == 0 { paint.dim(cell) } else { cell.to_owned() })?;
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

pub(super) fn collected(out: &mut dyn Write, paint: Paint, report: &Collected) -> io::Result<()> {
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
    let mut table = Table::default();
    report.nodes.iter().for_each(|gone| table.push([what(gone), gone.node.node.clone(), gone.node.pipeline.clone()]));
    table.write(out, "  ", |_, column, cell| if column == 1 { cell.to_owned() } else { paint.dim(cell) })?;
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
