//! Which pictures of a folder have which captions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::halves::Half;
use super::table;
use super::tree::{Tree, shown};
use crate::artifacts::dataset::{ADVICE, Account, Reason, words};
use crate::{NodeError, files};

const FILE_NAME: &str = "file_name";
/// Columns that hold captions; the first that is there counts.
const CAPTIONS: [&str; 2] = ["text", "caption"];

/// What is known of a picture.
pub(super) struct Described {
    pub(super) text: String,
    pub(super) half: Option<Half>,
}

/// The pictures of a tree that have a caption, by their paths in it.
pub(super) struct Finder<'a> {
    pub(super) tree: &'a Tree,
    pub(super) account: &'a mut Account,
    /// Whether what is damaged is left out.
    pub(super) skip: bool,
    found: BTreeMap<PathBuf, Described>,
    /// Those of which it has been told why they are left out.
    told: BTreeSet<PathBuf>,
    /// Whether rows say which half they are of.
    split: Option<bool>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(tree: &'a Tree, account: &'a mut Account, skip: bool) -> Self {
        Self { tree, account, skip, found: BTreeMap::new(), told: BTreeSet::new(), split: None }
    }

    /// Captions from metadata, if there is any, else from texts beside the pictures.
    pub(super) fn find(mut self) -> Result<BTreeMap<PathBuf, Described>, NodeError> {
        let tree = self.tree;
        tree.metadata.iter().try_for_each(|file| self.listed(file))?;
        for picture in &tree.pictures {
            let beside = picture.with_extension("txt");
            if !tree.texts.contains(&beside) {
                continue;
            }
            match self.text(&beside) {
                Ok(text) => self.beside(picture, text),
                Err(why) => self.damaged(&beside, why, Some(picture))?,
            }
        }
        let pictures: BTreeSet<_> = tree.pictures.iter().map(|picture| picture.with_extension("txt")).collect();
        tree.texts.difference(&pictures).for_each(|text| self.account.leave_out(Reason::NoPicture, shown(text)));
        let uncaptioned = tree.pictures.iter().filter(|p| !self.found.contains_key(*p) && !self.told.contains(*p));
        uncaptioned.for_each(|picture| self.account.leave_out(Reason::NoCaption, shown(picture)));
        Ok(self.found)
    }

    fn text(&self, name: &Path) -> Result<String, String> {
        let bytes = files::read_bytes(&self.tree.root.join(name)).map_err(|e| e.to_string())?;
        words::text(&bytes).map(|text| text.trim().to_owned())
    }

    /// A text beside a picture is its caption, if no metadata has one.
    fn beside(&mut self, picture: &Path, text: String) {
        match self.found.get(picture) {
            Some(described) if described.text.trim() != text => self.account.differs(&shown(picture)),
            None if self.tree.metadata.is_empty() => {
                self.found.insert(picture.to_owned(), Described { text, half: None });
            }
            _ => {}
        }
    }

    /// The rows of one file of metadata, which names what lies in its folder and below.
    fn listed(&mut self, file: &Path) -> Result<(), NodeError> {
        for (place, row) in table::read(&self.tree.root.join(file))? {
            if let Err(why) = row.and_then(|row| self.row(file, &row)) {
                self.damaged(file, format!("{place}: {why}"), None)?;
            }
        }
        Ok(())
    }

    fn row(&mut self, file: &Path, row: &Map<String, Value>) -> Result<(), String> {
        let name = file_name(row)?;
        let picture = within(file.parent().unwrap_or(Path::new("")), name)?;
        if !self.tree.root.join(&picture).is_file() {
            return Err(format!("{name} is not there"));
        }
        let half = words::caption(row.get("split")).map_err(|_| "its `split` is no text".to_owned())?;
        if half.is_some() != *self.split.get_or_insert(half.is_some()) {
            return Err(format!(
                "{name} differs from the first row in having a `split` or none: give it to all or none"
            ));
        }
        let half = half.map(|split| Half::of_split(&split)).transpose()?;
        let column = CAPTIONS.iter().find_map(|column| row.get(*column));
        if column.is_none() {
            return Err(format!("{name} has no `text` and no `caption`, but {}", names(row)));
        }
        let Some(text) = words::caption(column)? else {
            if self.told.insert(picture.clone()) {
                self.account.leave_out(Reason::NoCaption, shown(&picture));
            }
            return Ok(());
        };
        match self.found.contains_key(&picture) {
            true => Err(format!("{name} has two captions")),
            false => {
                self.found.insert(picture, Described { text, half });
                Ok(())
            }
        }
    }

    /// Leaves out what is damaged, or fails.
    fn damaged(&mut self, file: &Path, why: String, picture: Option<&Path>) -> Result<(), NodeError> {
        if !self.skip {
            return Err(NodeError::content(&self.tree.root.join(file), format!("{why}; {ADVICE}")));
        }
        self.told.extend(picture.map(Path::to_owned));
        self.account.leave_out(Reason::Damaged, format!("{}: {why}", shown(file)));
        Ok(())
    }
}

/// The picture that a row names: in `file_name`, or in the only column whose name ends so, or in `image_file_name`.
fn file_name(row: &Map<String, Value>) -> Result<&str, String> {
    let columns: Vec<&String> = row.keys().filter(|name| name.ends_with("_file_name")).collect();
    let column = match columns.as_slice() {
        _ if row.contains_key(FILE_NAME) => FILE_NAME,
        [only] => only.as_str(),
        several if several.iter().any(|name| *name == "image_file_name") => "image_file_name",
        [] => return Err(format!("it has no column `file_name`, and has {}", names(row))),
        _ => return Err(format!("of the columns {} none is `file_name` or `image_file_name`", names(row))),
    };
    row[column].as_str().ok_or_else(|| format!("its `{column}` is {}, and no name of a file", row[column]))
}

fn names(row: &Map<String, Value>) -> String {
    row.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A path that does not lead out of the folder: what lies outside is not in the node's key.
fn within(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let mut path = folder.to_owned();
    for part in Path::new(name).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            _ => return Err(format!("{name} is not a path within the folder")),
        }
    }
    Ok(path)
}
