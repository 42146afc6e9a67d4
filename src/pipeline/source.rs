//! The texts that a pipeline is made of: its file, a file of parameters, and arguments.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use miette::NamedSource;

/// A piece of one of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Span {
    /// Which source.
    pub(super) source: usize,
    /// Its first byte.
    pub(super) start: usize,
    /// The byte after its last.
    pub(super) end: usize,
}

/// Every text that was read, the pipeline file first.
#[derive(Debug, Default)]
pub(super) struct Sources(Vec<Arc<NamedSource<Arc<str>>>>);

impl Sources {
    /// Takes a text in; spans name it by the number that is returned.
    pub(super) fn add(&mut self, name: &str, text: &str) -> usize {
        self.0.push(Arc::new(NamedSource::new(name, Arc::from(text))));
        self.0.len() - 1
    }

    /// The source itself, for a report.
    pub(super) fn named(&self, source: usize) -> Arc<NamedSource<Arc<str>>> {
        self.0[source].clone()
    }

    /// The whole text of a source.
    pub(super) fn text(&self, source: usize) -> &str {
        self.0[source].inner()
    }

    /// The text of a span.
    pub(super) fn slice(&self, span: Span) -> &str {
        &self.text(span.source)[span.start..span.end]
    }
}

/// The text of a file. Where it is none, the place is told.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(std::fs::read(path)?).map_err(|error| {
        let before = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
        let line = before.split('\n').count();
        let column = 1 + before.rsplit('\n').next().map_or(0, |last| last.chars().count());
        io::Error::new(ErrorKind::InvalidData, format!("it is no UTF-8 text at {}:{line}:{column}", path.display()))
    })
}
