//! A quick look into a folder of pictures: how many there are, and what their captions say.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

/// What `ImageFolder` reads.
const PICTURES: [&str; 10] = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff"];
/// What may hold captions of a whole folder.
const METADATA: [&str; 3] = ["metadata.jsonl", "metadata.csv", "metadata.parquet"];
/// Captions that are read, of more there are enough to choose prompts from.
const READ: usize = 2000;
/// Prompts that are chosen.
const CHOSEN: usize = 3;
/// Folders within folders, as deep as this.
const DEEPEST: usize = 16;

/// What was found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Looked {
    /// Pictures.
    pub(super) pictures: usize,
    /// Those that have captions. The rows of a metadata file are not counted: it is for all.
    pub(super) captions: usize,
    /// Captions to draw from.
    #[serde(skip)]
    pub(super) prompts: Vec<String>,
}

/// Looks into a folder. One that is not there has no pictures.
pub(super) fn look(folder: &Path) -> io::Result<Looked> {
    let mut look = Look::default();
    match look.folder(folder, 0) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => read?,
    }
    let Look { pictures, beside, metadata, captions } = look;
    let captioned = if metadata { pictures } else { beside };
    let prompts = chosen(&captions.into_iter().collect::<Vec<_>>());
    Ok(Looked { pictures, captions: captioned, prompts })
}

#[derive(Default)]
struct Look {
    pictures: usize,
    beside: usize,
    metadata: bool,
    captions: BTreeSet<String>,
}

impl Look {
    fn folder(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(folder)? {
            paths.push(entry?.path());
        }
        paths.sort();
        for path in paths.iter().filter(|path| !is_hidden(path)) {
            match path {
                path if path.is_dir() && depth < DEEPEST => self.folder(path, depth + 1)?,
                path if METADATA.iter().any(|name| path.ends_with(name)) => self.metadata(path),
                path if is_picture(path) => self.picture(path),
                _ => {}
            }
        }
        Ok(())
    }

    fn picture(&mut self, path: &Path) {
        self.pictures += 1;
        let caption = path.with_extension("txt");
        let Ok(text) = fs::read_to_string(caption) else { return };
        self.beside += usize::from(!text.trim().is_empty());
        self.keep(text.trim());
    }

    fn metadata(&mut self, path: &Path) {
        self.metadata = true;
        let is_lines = path.extension().is_some_and(|end| end == "jsonl");
        let lines = is_lines.then(|| fs::File::open(path).ok()).flatten().map(BufReader::new);
        for line in lines.into_iter().flat_map(BufRead::lines).take(READ).map_while(Result::ok) {
            let row: Value = serde_json::from_str(&line).unwrap_or_default();
            row.get("text").and_then(Value::as_str).into_iter().for_each(|text| self.keep(text.trim()));
        }
    }

    /// Long captions are poor prompts to begin with.
    fn keep(&mut self, caption: &str) {
        if (1..=120).contains(&caption.len()) && self.captions.len() < READ && !caption.contains(char::is_control) {
            self.captions.insert(caption.to_owned());
        }
    }
}

/// Some, from all over the alphabet.
fn chosen(captions: &[String]) -> Vec<String> {
    match captions.len() {
        0 => ["a red fox in the snow", "a lighthouse at dusk", "a bowl of ramen"].map(str::to_owned).to_vec(),
        few if few <= CHOSEN => captions.to_vec(),
        many => (0..CHOSEN).map(|i| captions[i * (many - 1) / (CHOSEN - 1)].clone()).collect(),
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn is_picture(path: &Path) -> bool {
    let end = path.extension().map(|end| end.to_string_lossy().to_lowercase());
    end.is_some_and(|end| PICTURES.contains(&end.as_str()))
}
