//! What a file is that is no safetensors file, and what to do about it.

use crate::DiffusionError;
use std::path::{Path, PathBuf};

/// How much of a file [`recognise`] wants to see.
pub(super) const START: u64 = 512;

/// Names that Python's pickles go by.
const PICKLES: [&str; 5] = ["bin", "pt", "pth", "ckpt", "pkl"];

/// The error for a file whose beginning is known; `None` if it is not.
pub(super) fn recognise(path: &Path, start: &[u8]) -> Option<DiffusionError> {
    let text = String::from_utf8_lossy(start).trim_start().to_ascii_lowercase();
    if start.starts_with(b"PK\x03\x04") || is_pickle(start) || is_pickle_name(path) {
        return Some(pickle(path, &path.with_extension("safetensors")));
    }
    let reason = if text.starts_with("version https://git-lfs") {
        "a git-lfs pointer, which stands for the file: run `git lfs pull` where it was cloned"
    } else if text.starts_with("<!doctype") || text.starts_with("<html") || text.starts_with("<?xml") {
        "a web page, perhaps an error or a log-in page: download the file itself"
    } else if start.starts_with(b"GGUF") {
        "a GGUF file"
    } else {
        return None;
    };
    Some(DiffusionError::NotSafetensors { path: path.to_owned(), reason: reason.into() })
}

/// Whether a file goes by the name of a pickle.
pub(super) fn is_pickle_name(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| PICKLES.contains(&e.to_ascii_lowercase().as_str()))
}

/// A pickle of protocol 2 and later. (What follows the protocol is an opcode, never 0, which it would be in the length
/// of a header.)
fn is_pickle(start: &[u8]) -> bool {
    matches!(start, [0x80, 2..=5, opcode, ..] if *opcode != 0)
}

/// The error for a pickle that is to be converted to the file `to`.
pub(super) fn pickle(path: &Path, to: &Path) -> DiffusionError {
    let to: PathBuf = if to == path { path.with_extension("converted.safetensors") } else { to.to_owned() };
    let command = format!("python3 tests/parity/convert_pickle.py {} {}", quoted(path), quoted(&to));
    DiffusionError::Pickle { path: path.to_owned(), command }
}

/// As a shell reads it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
