//! The documents of this repository, and what is in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A document, by its path from the root of the repository.
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    text: String,
}

/// A fenced block of code.
pub(crate) struct Block {
    /// The first word after the fence.
    pub(crate) language: String,
    /// The rest of that line: `in=digits.ron` says of nodes in which pipeline they are to be put.
    pub(crate) note: String,
    pub(crate) text: String,
    /// Where it is, for messages: `README.md:12`.
    pub(crate) place: String,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All documents, in the order in which they are read: README.md first, then those it leads to, by their paths.
pub(crate) fn documents() -> Vec<Document> {
    let (mut found, mut open) = (Vec::new(), vec![root().to_owned()]);
    while let Some(folder) = open.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir()
                && !path.is_symlink()
                && !name.starts_with('.')
                && name != "target"
                && name != "node_modules"
            {
                open.push(path);
            } else if name.ends_with(".md") {
                found.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort_by_key(|path| (path != Path::new("README.md"), path.clone()));
    found.into_iter().map(Document::read).collect()
}

impl Document {
    fn read(path: PathBuf) -> Document {
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        Document { path, text }
    }

    /// What it consists of, each with the line it is in.
    fn events(&self) -> impl Iterator<Item = (Event<'_>, usize)> {
        let parser = Parser::new_ext(&self.text, Options::ENABLE_TABLES | Options::ENABLE_GFM);
        parser.into_offset_iter().map(|(event, range)| (event, self.text[..range.start].matches('\n').count() + 1))
    }

    fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut inside = false;
        for (event, line) in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    inside = true;
                    let CodeBlockKind::Fenced(info) = kind else {
                        panic!("{}: a block without a fence", self.place(line))
                    };
                    let (language, note) = info.split_once(' ').unwrap_or((&info, ""));
                    let (language, note) = (language.to_owned(), note.to_owned());
                    blocks.push(Block { language, note, text: String::new(), place: self.place(line) });
                }
                Event::Text(text) if inside => blocks.last_mut().unwrap().text.push_str(&text),
                Event::End(TagEnd::CodeBlock) => inside = false,
                _ => {}
            }
        }
        blocks
    }

    /// What stands between backticks in running text, and where.
    pub(crate) fn inline_code(&self) -> Vec<(String, String)> {
        let code = self.events().filter_map(|(event, line)| match event {
            Event::Code(code) => Some((code.into_string(), self.place(line))),
            _ => None,
        });
        code.collect()
    }

    /// Where links and pictures lead to, and where they are.
    pub(crate) fn links(&self) -> Vec<(String, String)> {
        let links = self.events().filter_map(|(event, line)| match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                Some((dest_url.into_string(), self.place(line)))
            }
            _ => None,
        });
        links.collect()
    }

    /// What a link can have after `#`: a heading in lower case, without punctuation, hyphens for spaces.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let (mut anchors, mut heading) = (BTreeSet::new(), None);
        for (event, line) in self.events() {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::End(TagEnd::Heading(_)) => {
                    let anchor = anchor(&heading.take().unwrap());
                    assert!(anchors.insert(anchor), "{}: this heading is there twice", self.place(line));
                }
                _ => {}
            }
        }
        anchors
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .collect::<String>();
    kept.replace(' ', "-")
}
