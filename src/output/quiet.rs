//! Bare names and values, one a line, for scripts that want no JSON.

use std::fmt::Display;
use std::io::{self, Write};

use super::Output;
use super::report::{
    Collected, Compared, Drawn, Exported, Forgotten, Initialised, Listed, ListedRuns, Logged, Pins, Planned, Rebuilt,
    RunPath, Shown, ShownRun, Stored, Verified, Why,
};
use crate::plan::State;

pub(super) struct Quiet;

fn lines(out: &mut dyn Write, items: impl IntoIterator<Item = impl Display>) -> io::Result<()> {
    items.into_iter().try_for_each(|item| writeln!(out, "{item}"))
}

impl Output for Quiet {
    fn planned(&self, out: &mut dyn Write, report: &Planned) -> io::Result<()> {
        lines(out, report.nodes.iter().filter(|node| node.state != State::Cached).map(|node| &node.name))
    }

    fn why(&self, out: &mut dyn Write, report: &Why) -> io::Result<()> {
        match report.causes.is_empty() {
            true => lines(out, [&report.node.reason]),
            false => lines(out, report.causes.iter().map(|cause| &cause.text)),
        }
    }

    fn drawn(&self, out: &mut dyn Write, report: &Drawn) -> io::Result<()> {
        lines(out, report.edges.iter().map(|edge| format!("{} {}", edge.from, edge.to)))
    }

    fn listed(&self, out: &mut dyn Write, report: &Listed) -> io::Result<()> {
        lines(out, report.nodes.iter().map(|node| &node.name))
    }

    fn shown(&self, out: &mut dyn Write, report: &Shown) -> io::Result<()> {
        lines(out, [report.artifact])
    }

    fn logged(&self, out: &mut dyn Write, report: &Logged) -> io::Result<()> {
        out.write_all(report.stderr.as_bytes())
    }

    fn exported(&self, out: &mut dyn Write, report: &Exported) -> io::Result<()> {
        lines(out, &report.written)
    }

    fn pinned(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()> {
        self.pins(out, report)
    }

    fn unpinned(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()> {
        self.pins(out, report)
    }

    fn pins(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()> {
        lines(out, report.pins.iter().map(|pin| &pin.name))
    }

    fn forgotten(&self, out: &mut dyn Write, report: &Forgotten) -> io::Result<()> {
        lines(out, &report.taken_by)
    }

    fn stored(&self, out: &mut dyn Write, report: &Stored) -> io::Result<()> {
        lines(out, [report.areas().map(|(_, _, bytes)| bytes).iter().sum::<u64>()])
    }

    fn verified(&self, out: &mut dyn Write, report: &Verified) -> io::Result<()> {
        lines(out, report.report.problems.iter().map(|problem| problem.path.display()))
    }

    fn collected(&self, out: &mut dyn Write, report: &Collected) -> io::Result<()> {
        lines(out, [report.report.bytes])
    }

    fn rebuilt(&self, _: &mut dyn Write, _: &Rebuilt) -> io::Result<()> {
        Ok(())
    }

    fn runs(&self, out: &mut dyn Write, report: &ListedRuns) -> io::Result<()> {
        lines(out, report.runs.iter().map(|run| &run.run))
    }

    fn run_shown(&self, out: &mut dyn Write, report: &ShownRun) -> io::Result<()> {
        lines(out, report.past.course.nodes.iter().map(|node| &node.name))
    }

    fn compared(&self, out: &mut dyn Write, report: &Compared) -> io::Result<()> {
        lines(out, report.nodes.iter().map(|node| &node.name))
    }

    fn run_path(&self, out: &mut dyn Write, report: &RunPath) -> io::Result<()> {
        lines(out, [report.path.display()])
    }

    fn initialised(&self, out: &mut dyn Write, report: &Initialised) -> io::Result<()> {
        lines(out, [report.store.display()])
    }
}
