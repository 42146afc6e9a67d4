//! For machines: every report is one JSON value.

use std::io::{self, Write};

use serde::Serialize;

use super::Output;
use super::report::{
    Collected, Compared, Drawn, Exported, Forgotten, Initialised, Listed, ListedRuns, Logged, Pins, Planned, Rebuilt,
    RunPath, Shown, ShownRun, Stored, Verified, Why,
};

pub(super) struct Json;

fn print(out: &mut dyn Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}

macro_rules! as_json {
    ($($method:ident: $report:ty),*) => {
        impl Output for Json {
            $(fn $method(&self, out: &mut dyn Write, report: &$report) -> io::Result<()> {
                print(out, report)
            })*
        }
    };
}

as_json! {
    planned: Planned, why: Why, drawn: Drawn, listed: Listed, shown: Shown, logged: Logged, exported: Exported,
    pinned: Pins, unpinned: Pins, pins: Pins, forgotten: Forgotten, stored: Stored, verified: Verified, collected: Collected, rebuilt: Rebuilt,
    initialised: Initialised, runs: ListedRuns, run_shown: ShownRun, run_path: RunPath, compared: Compared
}
