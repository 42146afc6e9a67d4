//! What a LoRA changes.

use std::io::{self, Write};

use super::section::{Rows, rows};
use crate::look::{Block, Lora};
use crate::output::human::units::number;
use crate::output::human::{Column, Fitted, Paint};
use crate::output::report::Shown;

/// Characters of the longest bar.
const BAR: f64 = 16.0;

pub(super) fn lora(out: &mut dyn Write, paint: Paint, report: &Shown, lora: &Lora) -> io::Result<()> {
    rows(out, paint, report.room, "LoRA", facts(report, lora))?;
    let cells = |text: &dyn Fn(&Block) -> String| lora.blocks.iter().map(text).collect::<Vec<_>>();
    let most = lora.blocks.iter().map(|block| block.per_weight).fold(f64::MIN_POSITIVE, f64::max);
    let table = Fitted::of(
        vec![
            Column::words("block", cells(&|block| block.name.clone())),
            Column::numbers("modules", 3, cells(&|block| block.modules.to_string())),
            Column::numbers("rank", 2, cells(&|block| block.rank.to_string())),
            Column::numbers("‖ΔW‖", 0, cells(&|block| number(block.norm))),
            Column::numbers("a weight", 1, cells(&|block| number(block.per_weight))),
            Column::words("", cells(&|block| "█".repeat((block.per_weight / most * BAR).round() as usize))),
        ],
        report.room.table(),
    );
    table.plain(out, paint)
}

fn facts(report: &Shown, lora: &Lora) -> Rows {
    let [rank, most_rank] = lora.ranks;
    let [alpha, most_alpha] = lora.alphas.map(|alpha| alpha.to_string());
    let span = |least: String, most: String| if least == most { least } else { format!("{least} to {most}") };
    let mut facts: Rows = Vec::new();
    if let Some(base) = &report.base {
        let from = base.hub.as_ref().map_or_else(String::new, |hub| format!(" from {hub}"));
        let kind = base.kind.as_deref().unwrap_or_default();
        facts.push(("base".into(), format!("{} ({kind}, {}){from}", base.node, base.key.short())));
    }
    facts.push(("rank".into(), span(rank.to_string(), most_rank.to_string())));
    facts.push(("alpha".into(), span(alpha, most_alpha)));
    facts.push(("size".into(), format!("{} parameters in {} modules", grouped(lora.parameters), lora.modules)));
    facts.push(("‖ΔW‖".into(), number(lora.norm)));
    facts
}

/// `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| str::from_utf8(g).unwrap_or_default()).collect();
    groups.join(",")
}
