//! From what an artifact was made, and what was made from it.

use std::io::{self, Write};

use super::section::{head, wrapped};
use crate::output::human::Paint;
use crate::output::report::{Ancestor, Shown, User};
use crate::output::room::{Room, cut};

/// More lines are counted.
const LINES: usize = 24;

pub(super) fn lineage(out: &mut dyn Write, paint: Paint, report: &Shown) -> io::Result<()> {
    let shown = if report.room.is_wide() { usize::MAX } else { LINES };
    if !report.lineage.is_empty() {
        head(out, paint, "made from")?;
        report.lineage.iter().take(shown).try_for_each(|of| ancestor(out, paint, report.room, of))?;
        more(out, report, report.lineage.len().saturating_sub(shown))?;
    }
    if !report.used_by.is_empty() {
        head(out, paint, "used by")?;
        report.used_by.iter().take(shown).try_for_each(|by| user(out, paint, report.room, by))?;
        more(out, report, report.used_by.len().saturating_sub(shown))?;
    }
    Ok(())
}

fn more(out: &mut dyn Write, report: &Shown, left: usize) -> io::Result<()> {
    match left {
        0 => Ok(()),
        left => wrapped(out, report.room, 2, &format!("… {left} more: `--wide` lists them")),
    }
}

/// Each below what it went into.
fn ancestor(out: &mut dyn Write, paint: Paint, room: Room, of: &Ancestor) -> io::Result<()> {
    let indent = " ".repeat(2 * of.depth.min(room.text() / 4));
    let kind = of.kind.as_deref().unwrap_or("its record is gone");
    let mut text = format!("{indent}{}: {} ({kind})", of.port, of.node);
    if let Some(hub) = &of.hub {
        text += &format!(" from {hub}");
    }
    let end = if of.told_before { ", as above" } else { "" };
    let key = of.key.short();
    let text = cut(&text, room.text().saturating_sub(key.len() + 2 + end.len()));
    writeln!(out, "{text}{end}  {}", paint.dim(&key))
}

fn user(out: &mut dyn Write, paint: Paint, room: Room, by: &User) -> io::Result<()> {
    let text = format!("  {} ({}) as {}", by.node, by.kind, by.port);
    match (&by.pipeline, &by.run) {
        (Some(pipeline), Some(run)) => {
            writeln!(out, "{}", cut(&text, room.text()))?;
            writeln!(out, "    {}", paint.dim(&format!("of {pipeline}, run {run}")))
        }
        _ => writeln!(out, "{}", cut(&text, room.text())),
    }
}
