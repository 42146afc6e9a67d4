//! A terminal: one line for each node that runs and one for the whole, and above them what happened.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use hyper_flow_spec::Event as Said;

use super::bar::Bar;
use super::forecast::Forecast;
use super::known::Known;
use super::queue::Missed;
use super::region::Region;
use super::results::Results;
use super::whole::Whole;
use super::{Display, words};
use crate::output::cut;
use crate::run::Event;

/// How long a step that is done may wait to be shown.
const SOON: Duration = Duration::from_millis(100);

/// Draws on a terminal; results go to standard output.
#[derive(Debug)]
pub(super) struct Live<W: Write> {
    color: bool,
    size: fn() -> Option<(usize, usize)>,
    region: Region<W>,
    drawn: Instant,
    running: BTreeMap<String, Bar>,
    whole: Whole,
    known: Known,
    results: Results,
}

impl<W: Write> Live<W> {
    /// On `out`, which has so many columns and rows, with or without colours.
    pub(super) fn new(
        out: W,
        size: fn() -> Option<(usize, usize)>,
        color: bool,
        forecast: Forecast,
        results: Results,
    ) -> Live<W> {
        Live {
            color,
            size,
            region: Region::new(out),
            drawn: Instant::now(),
            running: BTreeMap::new(),
            whole: Whole::new(forecast),
            known: Known::default(),
            results,
        }
    }

    /// What the lines at the bottom say from now on.
    fn hear(&mut self, event: &Event) {
        self.known.hear(event);
        self.whole.hear(event);
        let now = Instant::now();
        match event {
            Event::NodeStarted { node, kind, .. } => {
                self.running.insert(node.clone(), Bar::new(node, kind, now));
            }
            Event::NodeRan { node, .. }
            | Event::NodeFailed { node, .. }
            | Event::NodeInterrupted { node, .. }
            | Event::NodeRetried { node, .. } => drop(self.running.remove(node)),
            Event::Worker { node, event: said @ (Said::Step { .. } | Said::Progress { .. }) } => {
                // That it started may have been left out.
                self.running.entry(node.clone()).or_insert_with(|| Bar::new(node, "", now)).progress(said, now);
            }
            _ => {}
        }
    }

    /// Shows `line`, for good, and what is so now.
    fn draw(&mut self, line: Option<&words::Line>) {
        let (columns, rows) = (self.size)().unwrap_or((80, 24));
        let now = Instant::now();
        // What is printed above has to come from somewhere: not all rows are taken.
        let room = rows.saturating_sub(3).max(1);
        let mut lines: Vec<String> = self.running.values().take(room).map(|bar| bar.line(now, columns)).collect();
        let more = self.running.len().saturating_sub(room);
        let whole = self.whole.line(&self.running, more, now);
        lines.extend(whole.map(|whole| cut(&format!("  {whole}"), columns.saturating_sub(1))));
        let above = line.map(|line| line.render_within(self.color, columns));
        self.region.draw(above.as_deref(), &lines, columns);
        self.drawn = now;
    }
}

impl<W: Write + Send> Display for Live<W> {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        self.hear(event);
        let line = words::line(event, &self.known);
        if let Some(summary) = self.results.take(event) {
            self.region.draw(None, &[], (self.size)().map_or(80, |size| size.0));
            return self.results.print_all(summary);
        }
        if line.is_some() || self.drawn.elapsed() >= SOON {
            self.draw(line.as_ref());
        }
        Ok(())
    }

    fn missed(&mut self, missed: &Missed) {
        missed.ended.iter().for_each(|node| drop(self.running.remove(node)));
        self.draw(Some(&words::missed(missed)));
    }

    fn cached(&mut self, nodes: Vec<String>) {
        self.whole.cached(nodes);
        self.draw(None);
    }

    fn tick(&mut self) {
        self.draw(None);
    }
}
