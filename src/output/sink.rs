//! The three ways to print.

use std::io::{self, Write};

use super::Room;
use super::human::Human;
use super::json::Json;
use super::quiet::Quiet;
use super::report::{
    Collected, Compared, Drawn, Exported, Forgotten, Initialised, Listed, ListedRuns, Logged, Pins, Planned, Rebuilt,
    RunPath, Shown, ShownRun, Stored, Verified, Why,
};
use crate::commands::context::Format;

/// Prints what a command found out. Every method writes one whole report, and nothing anywhere else.
///
/// JSON output is one value a report, with a stable meaning of its fields; human output may change in any
/// version; quiet output is the bare names or values that were asked for, one a line.
pub trait Output {
    /// What a run would do. Quiet: the names of the nodes that are not cached.
    fn planned(&self, out: &mut dyn Write, report: &Planned) -> io::Result<()>;
    /// Why a node will run. Quiet: the differences.
    fn why(&self, out: &mut dyn Write, report: &Why) -> io::Result<()>;
    /// The graph. Quiet: the edges.
    fn drawn(&self, out: &mut dyn Write, report: &Drawn) -> io::Result<()>;
    /// Nodes and their artifacts. Quiet: the names.
    fn listed(&self, out: &mut dyn Write, report: &Listed) -> io::Result<()>;
    /// A node's record. Quiet: the digest of its artifact.
    fn shown(&self, out: &mut dyn Write, report: &Shown) -> io::Result<()>;
    /// A node's last run. Quiet: what it printed on standard error.
    fn logged(&self, out: &mut dyn Write, report: &Logged) -> io::Result<()>;
    /// An export. Quiet: the files that were written.
    fn exported(&self, out: &mut dyn Write, report: &Exported) -> io::Result<()>;
    /// What is kept from now on. Quiet: the names of the pins.
    fn pinned(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()>;
    /// What is kept no longer. Quiet: the names of the pins.
    fn unpinned(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()>;
    /// All that is kept. Quiet: the names of the pins.
    fn pins(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()>;
    /// A node that will run again. Quiet: the nodes that take its artifact.
    fn forgotten(&self, out: &mut dyn Write, report: &Forgotten) -> io::Result<()>;
    /// What the store holds. Quiet: the bytes in all.
    fn stored(&self, out: &mut dyn Write, report: &Stored) -> io::Result<()>;
    /// A verification. Quiet: the files that are altered.
    fn verified(&self, out: &mut dyn Write, report: &Verified) -> io::Result<()>;
    /// A garbage collection. Quiet: the bytes that went.
    fn collected(&self, out: &mut dyn Write, report: &Collected) -> io::Result<()>;
    /// A rebuilt index. Quiet: nothing.
    fn rebuilt(&self, out: &mut dyn Write, report: &Rebuilt) -> io::Result<()>;
    /// Runs. Quiet: their ids.
    fn runs(&self, out: &mut dyn Write, report: &ListedRuns) -> io::Result<()>;
    /// A run. Quiet: the names of its nodes.
    fn run_shown(&self, out: &mut dyn Write, report: &ShownRun) -> io::Result<()>;
    /// Two runs or nodes. Quiet: the names of the nodes that differ.
    fn compared(&self, out: &mut dyn Write, report: &Compared) -> io::Result<()>;
    /// Where runs are. Quiet: the same.
    fn run_path(&self, out: &mut dyn Write, report: &RunPath) -> io::Result<()>;
    /// A store that was made or shared. Quiet: its directory.
    fn initialised(&self, out: &mut dyn Write, report: &Initialised) -> io::Result<()>;
}

/// The output of a format.
pub fn output(format: Format, color: bool, room: Room) -> Box<dyn Output> {
    match format {
        Format::Human => Box::new(Human::new(color, room)),
        Format::Json => Box::new(Json),
        Format::Quiet => Box::new(Quiet),
    }
}
