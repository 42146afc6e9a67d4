//! What is printed when a run is over: tables, where the pictures are, and what became of the nodes.

use std::io::Write;
use std::path::PathBuf;

use super::{Display, words};
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
    pub(super) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        for (node, text) in &self.texts {
            // Of a single one it is plain whose it is.
            let head = if self.texts.len() > 1 { format!("{node}:\n") } else { String::new() };
            writeln!(out, "\n{head}{}", text.trim_end())?;
        }
        if !self.texts.is_empty() {
            writeln!(out)?;
        }
        for (node, path) in &self.pictures {
            writeln!(out, "{node}: {}", path.display())?;
        }
        out.flush()
    }

    /// Everything, and the summary.
    pub(super) fn print_all(&self, summary: &Summary) {
        let mut out = std::io::stdout().lock();
        let _ = self.print(&mut out).and_then(|()| writeln!(out, "{}", words::summary(summary)));
    }
}

/// Only results, and on standard error what failed.
#[derive(Debug, Default)]
pub struct Quiet {
    results: Results,
}

impl Display for Quiet {
    fn event(&mut self, event: &Event) {
        if self.results.take(event).is_some() {
            let _ = self.results.print(&mut std::io::stdout().lock());
        }
        if let (Event::NodeFailed { .. }, Some(line)) = (event, words::line(event)) {
            let _ = writeln!(std::io::stderr(), "{}", line.render(false));
        }
    }
}
