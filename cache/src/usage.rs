//! How much a store holds.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

use crate::areas;
use crate::error::Result;
use crate::files;
use crate::store::Store;

/// Files and bytes of one part of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Area {
    /// How many files.
    pub files: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// What a store holds, by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Contents of artifacts, each once.
    pub objects: Area,
    /// Manifests.
    pub trees: Area,
    /// Records.
    pub records: Area,
    /// Preimages.
    pub preimages: Area,
    /// Logs and events.
    pub runs: Area,
    /// Checkpoints of what is not finished.
    pub scratch: Area,
    /// Staging.
    pub tmp: Area,
    /// What was set aside.
    pub damaged: Area,
    /// What the caller remembers.
    pub memos: Area,
    /// The index.
    pub index: Area,
}

impl Usage {
    /// All parts together.
    pub fn total(&self) -> Area {
        let kept = [self.objects, self.trees, self.records, self.preimages, self.runs];
        let passing = [self.scratch, self.tmp, self.damaged, self.memos, self.index];
        kept.iter()
            .chain(&passing)
            .fold(Area::default(), |sum, area| Area { files: sum.files + area.files, bytes: sum.bytes + area.bytes })
    }
}

impl Store {
    /// What the store holds. (Hard links in the jobs of a run that goes on count under `tmp` too.)
    pub fn du(&self) -> Result<Usage> {
        let area = |name| measure(&self.root().join(name));
        Ok(Usage {
            objects: area("objects")?,
            trees: area("trees")?,
            records: area("records")?,
            preimages: area("preimages")?,
            runs: area("runs")?,
            scratch: area("scratch")?,
            tmp: area("tmp")?,
            damaged: area("damaged")?,
            memos: area("memos")?,
            index: area("index")?,
        })
    }
}

/// Everything at a path and below it.
pub(crate) fn measure(path: &Path) -> Result<Area> {
    let mut sum = Area::default();
    visit(path, |meta| {
        if !meta.is_dir() {
            sum.files += 1;
            sum.bytes += meta.len();
        }
    })?;
    Ok(sum)
}

/// The latest ctime, in seconds, at a path and below it; `None` if nothing is there.
pub(crate) fn newest_change(path: &Path) -> Result<Option<i64>> {
    let mut newest = None;
    visit(path, |meta| newest = newest.max(Some(meta.ctime())))?;
    Ok(newest)
}

/// What vanishes meanwhile is passed over.
fn visit(path: &Path, mut see: impl FnMut(&Metadata)) -> Result<()> {
    let mut paths = vec![path.to_owned()];
    while let Some(path) = paths.pop() {
        let Some(meta) = files::stat(&path)? else { continue };
        see(&meta);
        if meta.is_dir() {
            paths.extend(areas::children(&path)?);
        }
    }
    Ok(())
}
