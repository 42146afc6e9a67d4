//! What a dataset holds.

use std::io::{self, Write};

use super::lora::grouped;
use super::section::{Rows, head, plain_rows, rows, wrapped};
use crate::look::{Count, Dataset, Half, LeftOut};
use crate::output::harmless;
use crate::output::human::units::count;
use crate::output::human::{Column, Fitted, Paint};
use crate::output::room::{Room, cut};

/// More lines of a histogram, and more names, are counted.
const SIZES: usize = 12;
const NAMES: usize = 20;
/// Characters of the longest bar.
const BAR: u64 = 24;

pub(super) fn dataset(out: &mut dyn Write, paint: Paint, dataset: &Dataset, room: Room) -> io::Result<()> {
    let mut facts: Rows = vec![
        ("train".into(), half(&dataset.train)),
        ("held out".into(), half(&dataset.held_out)),
        ("captions".into(), captions(dataset)),
    ];
    facts.extend(dataset.channels.map(|channels| ("channels".into(), channels.to_string())));
    rows(out, paint, room, "dataset", facts)?;
    histogram(out, paint, room, "sizes", &dataset.sizes)?;
    histogram(out, paint, room, "sizes of their files", &dataset.originals)?;
    head(out, paint, "first captions")?;
    for caption in &dataset.captions.first {
        writeln!(out, "  {}", cut(&format!("\"{}\"", caption.escape_debug()), room.text() - 2))?;
    }
    dataset.left_out.iter().try_for_each(|left| left_out(out, paint, left, room))
}

fn half(half: &Half) -> String {
    let pictures = format!("{} {}", grouped(half.pictures), if half.pictures == 1 { "picture" } else { "pictures" });
    match half.epoch == half.pictures {
        true => pictures,
        false => format!("{pictures}, with repeats and mirrored ones {} samples", grouped(half.epoch)),
    }
}

fn captions(dataset: &Dataset) -> String {
    let (distinct, empty) = (dataset.captions.distinct, dataset.captions.empty);
    let empty = if empty > 0 { format!(", {} empty", grouped(empty)) } else { String::new() };
    format!("{} distinct{empty}", grouped(distinct))
}

fn histogram(out: &mut dyn Write, paint: Paint, room: Room, name: &str, counts: &[Count]) -> io::Result<()> {
    let Some(most) = counts.iter().map(|of| of.count).max() else { return Ok(()) };
    head(out, paint, name)?;
    let shown = if room.is_wide() { counts.len() } else { SIZES };
    let (some, rest) = counts.split_at(counts.len().min(shown));
    let bar = |of: &Count| "█".repeat((of.count * BAR).div_ceil(most) as usize);
    let table = Fitted::of(
        vec![
            Column::words("pixels", some.iter().map(|of| of.what.clone())),
            Column::numbers("pictures", 0, some.iter().map(|of| grouped(of.count))),
            Column::words("", some.iter().map(bar)),
        ],
        None,
    );
    table.plain(out, paint)?;
    match rest.len() as u64 {
        0 => Ok(()),
        more => {
            let pictures = grouped(rest.iter().map(|of| of.count).sum());
            wrapped(out, room, 2, &format!("and {pictures} of {}", count(more, "other size")))
        }
    }
}

/// By name, a line each.
fn left_out(out: &mut dyn Write, paint: Paint, left: &LeftOut, room: Room) -> io::Result<()> {
    head(out, paint, &format!("left out: {} {}", left.names.len(), harmless(&left.reason, false)))?;
    let shown = if room.is_wide() { left.names.len() } else { NAMES };
    left.names.iter().take(shown).try_for_each(|name| writeln!(out, "  {}", harmless(name, false)))?;
    match left.names.len().saturating_sub(shown) {
        0 => Ok(()),
        more => plain_rows(out, paint, room, &vec![(format!("… {more} more"), "`--wide` names them all".to_owned())]),
    }
}
