//! What is printed when a run is over: tables, where the pictures are, and what became of the nodes.

use std::io::{self, Write};
use std::path::PathBuf;

use hyper_flow_spec::metrics::Metrics;

use super::known::Known;
use super::queue::Missed;
use super::{Display, words};
use crate::commands::again::Again;
use crate::output::{Harmless, Paint, Room, cut, evaluation, harmless, standard};
use crate::run::{Event, Summary};

/// Results, on standard output, so that they can be taken apart from what is told on the way.
#[derive(Debug)]
pub(super) struct Results {
    /// For the command that shows all of a table.
    again: Again,
    texts: Vec<(String, Text)>,
    pictures: Vec<(String, PathBuf)>,
    /// What failed, and how, in a line.
    failed: Vec<(String, String)>,
}

/// What a node wants read.
#[derive(Debug)]
enum Text {
    Plain(String),
    /// Of an `Eval`.
    Measured(Box<Metrics>),
}

impl Results {
    /// None yet.
    pub(super) fn new(again: Again) -> Results {
        Results { again, texts: Vec::new(), pictures: Vec::new(), failed: Vec::new() }
    }

    /// Keeps what is to be printed at the end; gives back the summary when that has come.
    pub(super) fn take<'a>(&mut self, event: &'a Event) -> Option<&'a Summary> {
        match event {
            Event::Shown { node, metrics: Some(metrics), .. } => {
                self.texts.push((node.clone(), Text::Measured(metrics.clone())));
            }
            Event::Shown { node, text: Some(text), .. } => self.texts.push((node.clone(), Text::Plain(text.clone()))),
            Event::Shown { node, path, text: None, .. } => self.pictures.push((node.clone(), path.clone())),
            Event::NodeFailed { node, message, .. } => {
                self.failed.push((node.clone(), message.lines().next().unwrap_or_default().to_owned()));
            }
            Event::Summary(summary) => return Some(summary),
            _ => {}
        }
        None
    }

    /// Tables, then paths.
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for (node, text) in &self.texts {
            // Of a single one it is plain whose it is.
            let head = if self.texts.len() > 1 { format!("{node}:\n") } else { String::new() };
            write!(out, "\n{}", harmless(&head, false))?;
            self.text(&mut Harmless::new(&mut *out, false), node, text)?;
        }
        if !self.texts.is_empty() {
            writeln!(out)?;
        }
        for (node, path) in &self.pictures {
            writeln!(out, "{}", harmless(&format!("{node}: {}", path.display()), false))?;
        }
        out.flush()
    }

    fn text(&self, out: &mut impl Write, node: &str, text: &Text) -> io::Result<()> {
        match text {
            Text::Plain(text) => writeln!(out, "{}", text.trim_end()),
            Text::Measured(metrics) => {
                let more = self.again.line("show", &[node, "--wide"]);
                evaluation(out, Paint::new(false), metrics, Room::of_stdout(false), &more)
            }
        }
    }

    /// Everything, and the summary.
    pub(super) fn print_all(&self, summary: &Summary) -> io::Result<()> {
        let mut out = standard();
        self.print(&mut out)?;
        writeln!(out, "{}", words::summary(summary))?;
        self.failed.iter().try_for_each(|(node, why)| writeln!(out, "{}", failure(node, why)))
    }
}

/// What is read last: `failed: gate: 1 of 3 requirements are not met`.
fn failure(node: &str, why: &str) -> String {
    let line = format!("failed: {node}: {}", why.trim_end_matches(':'));
    cut(&harmless(&line, false), Room::of_stdout(false).table().unwrap_or(usize::MAX))
}

/// Only results, and on standard error what failed.
#[derive(Debug)]
pub(super) struct Quiet {
    pub(super) results: Results,
}

impl Display for Quiet {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let (Event::NodeFailed { .. }, Some(line)) = (event, words::line(event, &Known::default())) {
            let _ = writeln!(io::stderr(), "{}", line.render(false));
        }
        match self.results.take(event) {
            Some(_) => self.results.print(&mut standard()),
            None => Ok(()),
        }
    }

    fn missed(&mut self, _: &Missed) {}
}
