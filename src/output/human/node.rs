//! What an export of a node came to.

use std::io::{self, Write};

use super::units::count;
use crate::output::report::Exported;

pub(super) fn exported(out: &mut dyn Write, report: &Exported) -> io::Result<()> {
    let removed = match report.removed.len() as u64 {
        0 => String::new(),
        number => format!(", {} removed", count(number, "file")),
    };
    let written = count(report.written.len() as u64, "file");
    let dest = report.dest.display();
    writeln!(
        out,
        "{} exported to {dest}: {written} written, {} unchanged{removed}",
        report.node,
        report.unchanged.len()
    )
}
