//! A terminal: one line for each node that runs, with a bar, and above them what is done.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use hyper_flow_spec::Event as Said;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::pace::Pace;
use super::queue::Missed;
use super::results::Results;
use super::{Display, words};
use crate::output::harmless;
use crate::run::Event;

/// How often a line that hears nothing shows that it still lives.
const TICK: Duration = Duration::from_millis(200);

/// Draws on standard error; results go to standard output.
#[derive(Debug)]
pub(super) struct Live {
    color: bool,
    bars: MultiProgress,
    running: BTreeMap<String, (ProgressBar, Option<Pace>)>,
    results: Results,
}

impl Live {
    /// With or without colours.
    pub(super) fn new(color: bool) -> Live {
        Live { color, bars: MultiProgress::new(), running: BTreeMap::new(), results: Results::default() }
    }

    fn start(&mut self, node: &str, kind: &str) {
        self.end(node);
        let bar = self.bar(node);
        bar.set_message(kind.to_owned());
        self.running.insert(node.to_owned(), (bar, None));
    }

    fn bar(&self, node: &str) -> ProgressBar {
        let prefix = harmless(node, false).into_owned();
        let bar = self.bars.add(ProgressBar::no_length().with_style(waiting()).with_prefix(prefix));
        bar.enable_steady_tick(TICK);
        bar
    }

    fn progress(&mut self, node: &str, event: &Said) {
        let (Said::Step { step: done, of, .. } | Said::Progress { done, of, .. }) = event else { return };
        if !self.running.contains_key(node) {
            // That it started was left out.
            self.start(node, "");
        }
        let Some((bar, pace)) = self.running.get_mut(node) else { return };
        let now = Instant::now();
        // A node may count one thing after another.
        if pace.is_none() || bar.length() != Some(*of) || *done < bar.position() {
            *pace = Some(Pace::from(*done, now));
            bar.set_style(counting());
            bar.set_length(*of);
        }
        bar.set_position(*done);
        let left = pace.and_then(|pace| pace.left(*done, *of, now));
        bar.set_message(words::step(event, left).unwrap_or_default());
    }

    fn end(&mut self, node: &str) {
        if let Some((bar, _)) = self.running.remove(node) {
            bar.finish_and_clear();
        }
    }
}

impl Display for Live {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::NodeStarted { node, kind, .. } => {
                self.start(node, kind);
                return Ok(());
            }
            Event::NodeRan { node, .. } | Event::NodeFailed { node, .. } | Event::NodeInterrupted { node, .. } => {
                self.end(node);
            }
            Event::Worker { node, event } => self.progress(node, event),
            _ => {}
        }
        if let Some(line) = words::line(event) {
            let _ = self.bars.println(line.render(self.color));
        }
        let Some(summary) = self.results.take(event) else { return Ok(()) };
        let _ = self.bars.clear();
        self.results.print_all(summary)
    }

    fn missed(&mut self, missed: &Missed) {
        missed.ended.iter().for_each(|node| self.end(node));
        let _ = self.bars.println(words::missed(missed).render(self.color));
    }
}

fn waiting() -> ProgressStyle {
    ProgressStyle::with_template("  {spinner} {prefix}  {msg}  {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn counting() -> ProgressStyle {
    let bar = ProgressStyle::with_template("  {spinner} {prefix}  {bar:24}  {msg}");
    bar.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸ ")
}
