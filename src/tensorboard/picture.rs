//! Pictures, as they are on disk.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::proto::{Image, Is, Value};

/// A larger one is not copied.
const LIMIT: u64 = 16 << 20;
const RGB: i32 = 3;

/// The picture under a tag; none of a file that is no PNG.
pub(super) fn picture(tag: String, file: &Path) -> Option<Value> {
    let encoded = read(file)?;
    let (width, height) = size(&encoded)?;
    Some(Value { tag, metadata: None, is: Some(Is::Image(Image { height, width, colorspace: RGB, encoded })) })
}

/// A file that was named by a worker, in the folder where it belongs.
pub(super) fn below(folder: &Path, path: &Path) -> Option<PathBuf> {
    path.components().all(|part| matches!(part, Component::Normal(_))).then(|| folder.join(path))
}

/// A plain file that is not too large: another may have no end.
pub(super) fn read(file: &Path) -> Option<Vec<u8>> {
    let found = fs::symlink_metadata(file).ok()?;
    let fits = found.is_file() && found.len() <= LIMIT;
    fits.then(|| fs::read(file).ok())?
}

/// Width and height: the first things in a PNG after its signature.
fn size(png: &[u8]) -> Option<(i32, i32)> {
    let header = png.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")?;
    let number = |at: usize| Some(i32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    Some((number(0)?, number(4)?))
}
