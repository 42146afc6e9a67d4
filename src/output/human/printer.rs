//! Which file prints which report.

use std::io::{self, Write};

use super::{Paint, compare, log, node, pins, plan, runs, shown, store};
use crate::output::report::{
    Collected, Compared, Drawn, Exported, Forgotten, Initialised, Listed, ListedRuns, Logged, Pins, Planned, Rebuilt,
    RunPath, Shown, ShownRun, Stored, Verified, Why,
};
use crate::output::{Output, Room};

/// Prints for people.
pub(in crate::output) struct Human {
    paint: Paint,
    room: Room,
}

impl Human {
    pub(in crate::output) fn new(color: bool, room: Room) -> Human {
        Human { paint: Paint::new(color), room }
    }
}

impl Output for Human {
    fn planned(&self, out: &mut dyn Write, report: &Planned) -> io::Result<()> {
        plan::planned(out, self.paint, self.room, report)
    }

    fn why(&self, out: &mut dyn Write, report: &Why) -> io::Result<()> {
        plan::why(out, self.paint, self.room, report)
    }

    fn drawn(&self, out: &mut dyn Write, report: &Drawn) -> io::Result<()> {
        out.write_all(report.text.as_bytes())
    }

    fn listed(&self, out: &mut dyn Write, report: &Listed) -> io::Result<()> {
        plan::listed(out, self.paint, self.room, report)
    }

    fn shown(&self, out: &mut dyn Write, report: &Shown) -> io::Result<()> {
        shown::shown(out, self.paint, report)
    }

    fn logged(&self, out: &mut dyn Write, report: &Logged) -> io::Result<()> {
        log::logged(out, self.paint, report)
    }

    fn exported(&self, out: &mut dyn Write, report: &Exported) -> io::Result<()> {
        node::exported(out, report)
    }

    fn pinned(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()> {
        pins::pinned(out, report)
    }

    fn unpinned(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()> {
        pins::unpinned(out, report)
    }

    fn pins(&self, out: &mut dyn Write, report: &Pins) -> io::Result<()> {
        pins::pins(out, self.paint, self.room, report)
    }

    fn forgotten(&self, out: &mut dyn Write, report: &Forgotten) -> io::Result<()> {
        pins::forgotten(out, report)
    }

    fn stored(&self, out: &mut dyn Write, report: &Stored) -> io::Result<()> {
        store::stored(out, self.paint, self.room, report)
    }

    fn verified(&self, out: &mut dyn Write, report: &Verified) -> io::Result<()> {
        store::verified(out, report)
    }

    fn collected(&self, out: &mut dyn Write, report: &Collected) -> io::Result<()> {
        store::collected(out, self.paint, self.room, report)
    }

    fn rebuilt(&self, out: &mut dyn Write, report: &Rebuilt) -> io::Result<()> {
        store::rebuilt(out, report)
    }

    fn runs(&self, out: &mut dyn Write, report: &ListedRuns) -> io::Result<()> {
        runs::listed(out, self.paint, self.room, report)
    }

    fn run_shown(&self, out: &mut dyn Write, report: &ShownRun) -> io::Result<()> {
        runs::shown(out, self.paint, self.room, report)
    }

    fn compared(&self, out: &mut dyn Write, report: &Compared) -> io::Result<()> {
        compare::compared(out, self.paint, self.room, report)
    }

    fn run_path(&self, out: &mut dyn Write, report: &RunPath) -> io::Result<()> {
        runs::path(out, report)
    }

    fn initialised(&self, out: &mut dyn Write, report: &Initialised) -> io::Result<()> {
        store::initialised(out, report)
    }
}
