//! How often an epoch comes by the pictures of a folder.

use std::path::Path;

use hyper_flow_spec::Repeats as Count;

use crate::NodeError;

/// Folders in the folder, and how often each of their pictures comes.
pub(super) struct Repeats<'a> {
    folders: &'a [(String, Count)],
    /// For each folder whether a picture lies in it.
    found: Vec<bool>,
}

impl<'a> Repeats<'a> {
    pub(super) fn new(folders: &'a [(String, Count)]) -> Self {
        Self { folders, found: vec![false; folders.len()] }
    }

    /// Of a picture, by its path in the folder; of several folders that it lies in the innermost counts.
    pub(super) fn of(&mut self, picture: &Path) -> u32 {
        let mut chosen: Option<(usize, u32)> = None;
        for ((folder, count), found) in self.folders.iter().zip(&mut self.found) {
            let depth = Path::new(folder).components().count();
            if picture.starts_with(folder) {
                *found = true;
                if chosen.is_none_or(|(deepest, _)| depth > deepest) {
                    chosen = Some((depth, count.get() as u32));
                }
            }
        }
        chosen.map_or(1, |(_, count)| count)
    }

    /// That a picture lies in each of the folders.
    pub(super) fn check(&self) -> Result<(), NodeError> {
        let missing = self.folders.iter().zip(&self.found).find(|(_, found)| !**found);
        missing.map_or(Ok(()), |((folder, _), _)| {
            Err(NodeError::Unfit(format!(
                "no picture lies in `{folder}`, which `repeats` names; write it as it is in the folder, such as `10_cat`"
            )))
        })
    }
}
