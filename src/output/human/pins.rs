//! What is kept for good, and what is forgotten.

use std::io::{self, Write};

use super::Paint;
use super::table::Table;
use super::units::{ago, bytes};
use crate::output::report::{Forgotten, Pins};

pub(super) fn pinned(out: &mut dyn Write, report: &Pins) -> io::Result<()> {
    for pin in &report.pins {
        let size = pin.bytes.map_or_else(String::new, |size| format!(" ({})", bytes(size)));
        let name = &pin.name;
        writeln!(out, "the artifact of {}{size} is kept as @{name}, until `hyper-flow unpin {name}`", pin.node)?;
    }
    Ok(())
}

pub(super) fn unpinned(out: &mut dyn Write, report: &Pins) -> io::Result<()> {
    report.pins.iter().try_for_each(|pin| writeln!(out, "@{}, of {}, is pinned no longer", pin.name, pin.node))
}

pub(super) fn pins(out: &mut dyn Write, paint: Paint, report: &Pins) -> io::Result<()> {
    if report.pins.is_empty() {
        return writeln!(out, "nothing is pinned; `hyper-flow pin NODE` does it");
    }
    let mut table = Table::new(["PIN", "NODE", "PIPELINE", "SIZE", "KEY", "PINNED"]).right([3]);
    for pin in &report.pins {
        let size = pin.bytes.map_or_else(|| "lost".to_owned(), bytes);
        let (node, pipeline) = (pin.node.clone(), pin.pipeline.clone());
        table.push([format!("@{}", pin.name), node, pipeline, size, pin.key.short(), ago(pin.pinned)]);
    }
    table.write(out, "", |row, _, cell| if row == 0 { paint.dim(cell) } else { cell.to_owned() })
}

pub(super) fn forgotten(out: &mut dyn Write, report: &Forgotten) -> io::Result<()> {
    let what = match (report.bytes, report.checkpoint) {
        (Some(size), true) => format!("its artifact of {} and its checkpoint are", bytes(size)),
        (Some(size), false) => format!("its artifact of {} is", bytes(size)),
        (None, _) => "its checkpoint is".to_owned(),
    };
    let pins: String = report.pins.iter().map(|name| format!(", and the pin @{name}")).collect();
    writeln!(out, "{}: {what} forgotten{pins}; the next run makes it anew", report.node)?;
    match report.taken_by.as_slice() {
        [] => Ok(()),
        nodes => writeln!(out, "  cached again if it comes out the same: {}, and what follows", nodes.join(", ")),
    }
}
