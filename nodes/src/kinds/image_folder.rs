//! `ImageFolder`: pictures with captions from a folder.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use hyper_flow_spec::kinds::ImageFolder;
use serde::Deserialize;

use crate::dataset::{Account, Aside, Opaque, Reason, Shape, Writer};
use crate::picture::{EXTENSIONS, Square, Unread, Wanted, read_square};
use crate::worker::Context;
use crate::{NodeError, files};

const METADATA: &str = "metadata.jsonl";

/// A line of `metadata.jsonl`; further columns are the user's own.
#[derive(Deserialize)]
struct Line {
    file_name: PathBuf,
    text: String,
    split: Option<Half>,
}

/// Where a picture belongs, if the metadata says so.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Half {
    Train,
    #[serde(alias = "validation", alias = "test")]
    HeldOut,
}

/// What is known of a picture.
struct Described {
    text: String,
    half: Option<Half>,
}

pub(super) fn run(context: &Context, params: &ImageFolder) -> Result<(), NodeError> {
    let folder = context.file(&params.folder)?;
    let captions = captions(folder)?;
    let (side, channels, masks) = (params.size.get(), params.channels.get(), params.masks);
    let mut dataset = Writer::new(context, Shape { channels, side }, masks)?;
    let wanted = Wanted { side: side as u32, channels, masks, max_megapixels: params.max_megapixels.get() as u64 };
    let (mut opaque, mut account) = (Opaque::default(), Account::default());
    for (done, (path, Described { text, .. })) in captions.iter().enumerate() {
        let square = read_file(path, wanted).map_err(|e| NodeError::content(path, e))?;
        opaque.count(&square);
        account.remark(&name_of(path, folder), &square.remarks);
        dataset.push(&square.pixels, square.mask.as_deref(), text.clone())?;
        context.progress(done + 1, captions.len(), "pictures")?;
    }
    for path in pictures(folder)?.iter().filter(|path| !captions.contains_key(*path)) {
        account.leave_out(Reason::NoCaption, name_of(path, folder));
    }
    account.tell(context)?;
    opaque.tell(context)?;
    dataset.finish(aside(captions.values(), params.held_out.get()))
}

fn read_file(path: &Path, wanted: Wanted) -> Result<Square, Unread> {
    read_square(&files::read_bytes(path)?, wanted)
}

/// A path as it is in the folder.
fn name_of(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).display().to_string()
}

/// What the metadata says of the halves, or else a share.
fn aside<'a>(described: impl Iterator<Item = &'a Described>, share: f64) -> Aside {
    match described.map(|picture| picture.half.map(|half| half == Half::HeldOut)).collect() {
        Some(said) => Aside::These(said),
        None => Aside::Share(share),
    }
}

/// Pictures and their captions, in order of path: metadata if the folder has it, else `.txt` files.
fn captions(folder: &Path) -> Result<BTreeMap<PathBuf, Described>, NodeError> {
    let metadata = folder.join(METADATA);
    if metadata.exists() {
        return described(folder, files::read_lines(&metadata)?).map_err(|e| NodeError::content(&metadata, e));
    }
    let mut captions = BTreeMap::new();
    for picture in pictures(folder)? {
        let text = picture.with_extension("txt");
        if text.is_file() {
            captions.insert(picture, Described { text: files::read(&text)?.trim().to_owned(), half: None });
        }
    }
    match captions.is_empty() {
        true => Err(NodeError::content(folder, "has no metadata.jsonl, and no picture with a .txt file of its name")),
        false => Ok(captions),
    }
}

/// The pictures that lines of metadata name: each in the folder (what lies outside is not in the node's key), and once.
/// Either all of them say to which half they belong, or none.
fn described(folder: &Path, lines: Vec<Line>) -> Result<BTreeMap<PathBuf, Described>, String> {
    let mut captions = BTreeMap::new();
    let split = lines.first().is_some_and(|line| line.split.is_some());
    for Line { file_name, text, split: half } in lines {
        let (name, path) = (file_name.display(), folder.join(&file_name));
        if file_name.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Err(format!("{name} is not a path within the folder"));
        }
        if !path.is_file() {
            return Err(format!("{name} is not there"));
        }
        if half.is_some() != split {
            return Err(format!(
                "{name} differs from the first line in having a `split` or none: give it to all or none"
            ));
        }
        if captions.insert(path, Described { text, half }).is_some() {
            return Err(format!("{name} has two captions"));
        }
    }
    Ok(captions)
}

/// Every picture in the folder and below.
fn pictures(folder: &Path) -> Result<Vec<PathBuf>, NodeError> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for path in files::list(&folder)? {
            let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
            if path.is_dir() {
                open.push(path);
            } else if extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
