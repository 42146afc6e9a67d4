//! What is kept for good, and what is forgotten.

use std::io::{self, Write};

use super::units::{ago, bytes};
use super::{Column, Fitted, Paint};
use crate::output::Room;
use crate::output::report::{Forgotten, Pinned, Pins};

pub(super) fn pinned(out: &mut dyn Write, report: &Pins) -> io::Result<()> {
    for pin in &report.pins {
        let size = pin.bytes.map_or_else(String::new, |size| format!(" ({})", bytes(size)));
        let name = &pin.name;
        writeln!(out, "the artifact of {}{size} is kept as @{name}, until `{}`", pin.node, pin.release)?;
    }
    Ok(())
}

pub(super) fn unpinned(out: &mut dyn Write, report: &Pins) -> io::Result<()> {
    report.pins.iter().try_for_each(|pin| writeln!(out, "@{}, of {}, is pinned no longer", pin.name, pin.node))
}

pub(super) fn pins(out: &mut dyn Write, paint: Paint, room: Room, report: &Pins) -> io::Result<()> {
    if report.pins.is_empty() {
        return writeln!(out, "nothing is pinned; `{}` does it", report.again);
    }
    let cells = |text: &dyn Fn(&Pinned) -> String| report.pins.iter().map(text).collect::<Vec<_>>();
    let columns = vec![
        Column::words("PIN", cells(&|pin| format!("@{}", pin.name))),
        Column::text("NODE", cells(&|pin| pin.node.clone())),
        Column::text("PIPELINE", cells(&|pin| pin.pipeline.clone())),
        Column::numbers("SIZE", 1, cells(&|pin| pin.bytes.map_or_else(|| "lost".to_owned(), bytes))),
        Column::words("KEY", cells(&|pin| pin.key.short())).rank(3),
        Column::words("PINNED", cells(&|pin| ago(pin.pinned))).rank(2),
    ];
    let table = Fitted::list(columns, room);
    table.plain(out, paint)?;
    table.rest(out, paint)
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
