//! Sections of a report, as wide as there is room for.

use std::io::{self, Write};

use crate::output::human::Paint;
use crate::output::room::{Room, width, wrap};

/// Names, and what is said of each.
pub(in crate::output::human) type Rows = Vec<(String, String)>;

/// Names that are longer have their text below.
const NAME: usize = 30;

/// A heading.
pub(super) fn head(out: &mut dyn Write, paint: Paint, text: &str) -> io::Result<()> {
    writeln!(out, "{}", paint.bold(text))
}

/// A text in lines that begin at a column.
pub(super) fn wrapped(out: &mut dyn Write, room: Room, at: usize, text: &str) -> io::Result<()> {
    let most = room.text().saturating_sub(at);
    wrap(text, most).iter().try_for_each(|line| writeln!(out, "{:at$}{line}", ""))
}

/// A line of its own, which goes on further in where there is no room for it.
pub(in crate::output::human) fn hanging(out: &mut dyn Write, room: Room, text: &str) -> io::Result<()> {
    let most = room.rows().saturating_sub(4);
    for (index, line) in wrap(text, most).iter().enumerate() {
        writeln!(out, "{:at$}{line}", "", at = if index == 0 { 2 } else { 4 })?;
    }
    Ok(())
}

/// A heading and rows under it; nothing if there are none.
pub(super) fn rows(out: &mut dyn Write, paint: Paint, room: Room, text: &str, rows: Rows) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    head(out, paint, text)?;
    plain_rows(out, paint, room, &rows)
}

/// Names in a column, and their texts beside it, which go on below themselves.
pub(in crate::output::human) fn plain_rows(
    out: &mut dyn Write,
    paint: Paint,
    room: Room,
    rows: &Rows,
) -> io::Result<()> {
    let names = rows.iter().map(|(name, _)| width(name)).filter(|length| *length <= NAME);
    let longest = names.max().unwrap_or(0);
    for (name, text) in rows {
        let gap = longest.saturating_sub(width(name));
        let begins = format!("  {}{:gap$}", paint.dim(name), "");
        if width(name) > NAME {
            writeln!(out, "{begins}")?;
            wrapped(out, room, longest + 4, text)?;
            continue;
        }
        let lines = wrap(text, room.rows().saturating_sub(longest + 4));
        for (index, line) in lines.iter().enumerate() {
            let before = if index == 0 { format!("{begins}  ") } else { " ".repeat(longest + 4) };
            writeln!(out, "{}", format!("{before}{line}").trim_end())?;
        }
    }
    Ok(())
}
