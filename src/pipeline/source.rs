//! The texts that a pipeline is made of: its file, a file of parameters, and arguments.

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
