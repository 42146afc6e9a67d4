//! What is wrong with a pipeline, and where.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, Severity, SourceCode};
use serde::Serialize;
use serde::ser::SerializeStruct;

use super::source::Unreadable;

/// More findings than this are counted, not shown.
pub(super) const SHOWN: usize = 100;

/// Lines of more bytes are not shown: the report would drown in them.
const LONGEST_LINE: usize = 2000;

/// One mistake or warning.
#[derive(Debug, Clone)]
pub struct Finding {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// Whether the pipeline can run all the same.
    pub severity: Severity,
    /// The text that the labels point into: the pipeline file, a file of parameters, or an argument.
    pub source: Option<Arc<NamedSource<Arc<str>>>>,
    /// Where it is; the first label is the place itself.
    pub labels: Vec<Label>,
    /// The branch or tag that stands where a commit must; a hub knows which commit it means.
    pub branch: Option<Branch>,
}

/// A revision of a repository that is no commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Branch {
    /// The repository, as written.
    pub repo: String,
    /// The revision, as written.
    pub revision: String,
}

/// A marked piece of the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The bytes that are marked.
    pub range: Range<usize>,
    /// What is said about them.
    pub text: String,
}

impl Finding {
    /// Line and column of a byte, both from 1, the column in characters.
    fn position(&self, byte: usize) -> Option<(usize, usize)> {
        let before = self.source.as_ref()?.inner().get(..byte)?;
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        Some((line, column))
    }

    /// The source, if the lines at the labels, and one before and after, are short enough to show.
    fn shown(&self) -> Option<&NamedSource<Arc<str>>> {
        let source = self.source.as_deref()?;
        let bytes = source.inner().as_bytes();
        self.labels.iter().all(|label| has_short_lines(bytes, &label.range)).then_some(source)
    }

    /// Where it is, for a source that is not shown.
    fn place(&self) -> Option<String> {
        let (line, column) = self.position(self.labels.first()?.range.start)?;
        Some(format!("at {}:{line}:{column}, on a line too long to show", self.source.as_ref()?.name()))
    }
}

/// Looks no further than it must: there may be many findings on one line of megabytes.
fn has_short_lines(text: &[u8], range: &Range<usize>) -> bool {
    const WINDOW: usize = 2 * (LONGEST_LINE + 1);
    let is_newline = |byte: &u8| *byte == b'\n';
    let short = |line: &[u8]| line.len() <= LONGEST_LINE;
    let (before, after) = (&text[range.start.saturating_sub(WINDOW)..range.start], &text[range.end..]);
    before.rsplit(is_newline).take(2).all(short)
        && text[range.clone()].split(is_newline).all(short)
        && after[..after.len().min(WINDOW)].split(is_newline).take(2).all(short)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Finding {}

impl Diagnostic for Finding {
    fn severity(&self) -> Option<Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let place = if self.shown().is_none() { self.place() } else { None };
        let lines: Vec<String> = place.into_iter().chain(self.help.clone()).collect();
        (!lines.is_empty()).then(|| Box::new(lines.join("\n")) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.shown().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = |(i, label): (usize, &Label)| {
            let text = (!label.text.is_empty()).then(|| label.text.clone());
            let (start, len) = (label.range.start, label.range.len());
            if i == 0 {
                LabeledSpan::new_primary_with_span(text, (start, len))
            } else {
                LabeledSpan::new(text, start, len)
            }
        };
        Some(Box::new(self.labels.iter().enumerate().map(span)))
    }
}

impl Serialize for Finding {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = self.labels.first().and_then(|label| self.position(label.range.start));
        let mut out = serializer.serialize_struct("Finding", 5)?;
        out.serialize_field("message", &self.message)?;
        out.serialize_field("help", &self.help)?;
        out.serialize_field("file", &self.source.as_ref().map(|source| source.name()))?;
        out.serialize_field("line", &place.map(|(line, _)| line))?;
        out.serialize_field("column", &place.map(|(_, column)| column))?;
        out.end()
    }
}

/// Every mistake of a pipeline.
#[derive(Debug, Clone)]
pub struct PipelineErrors {
    /// The file, as it was given.
    pub file: String,
    /// The mistakes, in the order of the file. At least one.
    pub findings: Vec<Finding>,
}

impl PipelineErrors {
    /// A file that cannot be read has one mistake, without a place.
    pub(crate) fn unreadable(path: &Path, error: Unreadable) -> Self {
        let advice = || "give the path of a pipeline file, for example `pipelines/hello.ron`".to_owned();
        let help = error.help.unwrap_or_else(advice);
        Self::whole(path, format!("failed to read {}: {}", path.display(), error.why), Some(help))
    }

    /// One mistake, which is in no place of the file.
    pub(crate) fn whole(path: &Path, message: String, help: Option<String>) -> Self {
        let finding =
            Finding { message, help, severity: Severity::Error, source: None, labels: Vec::new(), branch: None };
        Self { file: path.display().to_string(), findings: vec![finding] }
    }
}

impl PipelineErrors {
    /// The texts that hold the mistakes: the file, a file of parameters, or `--set`.
    fn places(&self) -> String {
        let names =
            self.findings.iter().map(|finding| finding.source.as_ref().map_or(self.file.as_str(), |s| s.name()));
        let mut places: Vec<&str> = Vec::new();
        names.for_each(|name| {
            if !places.contains(&name) {
                places.push(name)
            }
        });
        let quoted = |name: &str| if name.starts_with("--") { format!("`{name}`") } else { name.to_owned() };
        places.into_iter().map(quoted).collect::<Vec<_>>().join(" and ")
    }
}

impl fmt::Display for PipelineErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.places();
        match self.findings.len() {
            1 => write!(f, "1 mistake in {places}"),
            n if n > SHOWN => write!(f, "{n} mistakes in {places}, of which these are the first {SHOWN}"),
            n => write!(f, "{n} mistakes in {places}"),
        }
    }
}

impl std::error::Error for PipelineErrors {}

impl Diagnostic for PipelineErrors {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.findings.iter().take(SHOWN).map(|finding| finding as &dyn Diagnostic)))
    }
}
