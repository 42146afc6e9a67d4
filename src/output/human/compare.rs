//! Two runs or nodes, side by side.

use std::io::{self, Write};

use super::shown::hanging;
use super::units::{count, number};
use super::{Column, Fitted, Paint};
use crate::output::report::{Compared, ComparedNode, ComparedNumber, ComparedSide, Presence};
use crate::output::room::{Room, wrap};

pub(super) fn compared(out: &mut dyn Write, paint: Paint, room: Room, report: &Compared) -> io::Result<()> {
    for (name, side) in [("a", &report.a), ("b", &report.b)] {
        for (index, line) in wrap(&about(side), room.rows().saturating_sub(3)).iter().enumerate() {
            let begins = if index == 0 { paint.bold(name) } else { " ".to_owned() };
            writeln!(out, "{begins}  {line}")?;
        }
    }
    if report.nodes.is_empty() {
        return writeln!(out, "no difference in {}", count(report.same as u64, "node"));
    }
    for node in &report.nodes {
        write_node(out, paint, room, node)?;
    }
    match report.same {
        0 => Ok(()),
        1 => writeln!(out, "{}", paint.dim("1 node is the same")),
        same => writeln!(out, "{}", paint.dim(&format!("{same} nodes are the same"))),
    }
}

fn about(side: &ComparedSide) -> String {
    let pipeline = side.pipeline.iter().map(|name| format!("of {name}"));
    let set = side.set.iter().map(|set| format!("--set {set}"));
    std::iter::once(side.label.clone()).chain(pipeline).chain(set).collect::<Vec<_>>().join("  ")
}

fn write_node(out: &mut dyn Write, paint: Paint, room: Room, node: &ComparedNode) -> io::Result<()> {
    let name = match &node.named {
        Some(other) => format!("{} | {other}", node.name),
        None => node.name.clone(),
    };
    let only = match node.presence {
        Presence::Both => "",
        Presence::OnlyInA => "  only in a",
        Presence::OnlyInB => "  only in b",
    };
    writeln!(out, "{}{only}", paint.bold(&name))?;
    node.settings.iter().try_for_each(|setting| hanging(out, room, &setting.text))?;
    node.inputs.iter().try_for_each(|place| writeln!(out, "  {place}: another artifact"))?;
    numbers(out, paint, room, node)?;
    for picture in &node.pictures {
        let verdict = if picture.same { "same bytes" } else { "different" };
        writeln!(out, "  {}: {verdict}", picture.path)?;
        for (name, path) in [("a", &picture.a), ("b", &picture.b)] {
            path.iter().try_for_each(|path| writeln!(out, "    {}  {}", paint.dim(name), path.display()))?;
        }
    }
    Ok(())
}

/// The numbers that differ.
fn numbers(out: &mut dyn Write, paint: Paint, room: Room, node: &ComparedNode) -> io::Result<()> {
    let differing: Vec<&ComparedNumber> = node.numbers.iter().filter(|number| number.a != number.b).collect();
    if differing.is_empty() {
        return Ok(());
    }
    let cell = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let signed = |by: f64| format!("{}{}", sign(by), number(by));
    let difference = |found: &&ComparedNumber| found.difference.map_or_else(|| "-".to_owned(), signed);
    let columns = vec![
        Column::text("", differing.iter().map(|found| found.name.clone())),
        Column::numbers("a", 0, differing.iter().map(|found| cell(found.a))),
        Column::numbers("b", 0, differing.iter().map(|found| cell(found.b))),
        Column::numbers("b - a", 1, differing.iter().map(difference)),
    ];
    Fitted::of(columns, room.table()).plain(out, paint)
}

fn sign(value: f64) -> &'static str {
    if value > 0.0 { "+" } else { "" }
}
