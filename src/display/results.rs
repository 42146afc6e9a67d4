//! What is printed when a run is over: tables, where the pictures are, and what became of the nodes.

use std::io::{self, Write};
use std::path::PathBuf;

use super::queue::Missed;
use super::{Display, words};
use crate::output::{harmless, standard};
use crate::run::{Event, Summary};

/// Results, on standard output, so that they can be taken apart from what is told on the way.
#[derive(Debug, Default)]
pub(super) struct Results {
    texts: Vec<(String, String)>,
    pictures: Vec<(String, PathBuf)>,
}

impl Results {
    /// Keeps what is to be printed at the end; gives back the summary when that has come.
    pub(super) fn take<'a>(&mut self, event: &'a Event) -> Option<&'a Summary> {
        match event {
            Event::Shown { node, text: Some(text), .. } => self.texts.push((node.clone(), text.clone())),
            Event::Shown { node, path, text: None } => self.pictures.push((node.clone(), path.clone())),
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
            writeln!(out, "\n{}", harmless(&format!("{head}{}", text.trim_end()), false))?;
        }
        if !self.texts.is_empty() {
            writeln!(out)?;
        }
        for (node, path) in &self.pictures {
            writeln!(out, "{}", harmless(&format!("{node}: {}", path.display()), false))?;
        }
        out.flush()
    }

    /// Everything, and the summary.
    pub(super) fn print_all(&self, summary: &Summary) -> io::Result<()> {
        let mut out = standard();
        self.print(&mut out)?;
        writeln!(out, "{}", words::summary(summary))
    }
}

/// Only results, and on standard error what failed.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    results: Results,
}

impl Display for Quiet {
    fn event(&mut self, event: &Event) -> io::Result<()> {
        if let (Event::NodeFailed { .. }, Some(line)) = (event, words::line(event)) {
            let _ = writeln!(io::stderr(), "{}", line.render(false));
        }
        match self.results.take(event) {
            Some(_) => self.results.print(&mut standard()),
            None => Ok(()),
        }
    }

    fn missed(&mut self, _: &Missed) {}
}
