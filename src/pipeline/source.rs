//! The texts that a pipeline is made of: its file, a file of parameters, and arguments.

use std::path::Path;
use std::string::FromUtf8Error;
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

/// Why a file gives no text, and what to do.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// What follows "failed to read p.ron: ".
    pub(crate) why: String,
    /// What to do, where that is known.
    pub(crate) help: Option<String>,
}

/// The mark with which some editors begin a text in UTF-8; it means nothing.
const MARK: char = '\u{FEFF}';

/// The text of a file, without the mark that says that it is one.
pub(crate) fn read_text(path: &Path) -> Result<String, Unreadable> {
    let bytes = std::fs::read(path).map_err(|error| Unreadable { why: error.to_string(), help: None })?;
    let text = String::from_utf8(bytes).map_err(|error| no_text(path, error))?;
    Ok(text.strip_prefix(MARK).map(str::to_owned).unwrap_or(text))
}

/// What is no UTF-8 is named with its place, and what it may be.
fn no_text(path: &Path, error: FromUtf8Error) -> Unreadable {
    let (bytes, at) = (error.as_bytes(), error.utf8_error().valid_up_to());
    let encoding = match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "UTF-16",
        _ if bytes.contains(&0) => return Unreadable { why: "it is no text".to_owned(), help: None },
        _ => "LATIN1",
    };
    let before = String::from_utf8_lossy(&bytes[..at]);
    let line = before.split('\n').count();
    let column = 1 + before.rsplit('\n').next().map_or(0, |last| last.chars().count());
    let byte = bytes[at];
    let why = match encoding {
        "UTF-16" => "it is UTF-16, and UTF-8 is read".to_owned(),
        _ => format!(
            "line {line}, column {column} is the byte 0x{byte:02X}, which is no UTF-8; in Latin-1 it is `{}`",
            byte as char
        ),
    };
    let name = path.display();
    let help = format!("save it as UTF-8 in an editor, or: iconv -f {encoding} -t UTF-8 {name} > new.ron");
    Unreadable { why, help: Some(help) }
}
