//! Small files of an artifact.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::NodeError;

/// Makes the folder that a file is to lie in.
pub(crate) fn make_parent(path: &Path) -> Result<(), NodeError> {
    path.parent().map_or(Ok(()), |folder| fs::create_dir_all(folder).map_err(NodeError::io("create", folder)))
}

/// Writes a file, making its folder.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), NodeError> {
    make_parent(path)?;
    fs::write(path, content).map_err(NodeError::io("write", path))
}

/// Writes a file that is never seen by half: a kill leaves what was there before.
pub(crate) fn replace(path: &Path, content: &str) -> Result<(), NodeError> {
    let partial = path.with_extension("partial");
    let written = remove_any(&partial).and_then(|()| File::create(&partial)).and_then(|mut file| {
        file.write_all(content.as_bytes())?;
        // The content first, then the name: a name without its content would be half a file.
        file.sync_all()?;
        fs::rename(&partial, path)
    });
    written.map_err(NodeError::io("write", path))
}

/// What is in a folder, sorted.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, NodeError> {
    let entries = folder.read_dir().and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> =
        entries.map_err(NodeError::io("list", folder))?.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    Ok(paths)
}

/// Moves a file, to another file system too.
pub(crate) fn move_to(from: &Path, to: &Path) -> Result<(), NodeError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            fs::copy(from, to).and_then(|_| fs::remove_file(from)).map_err(NodeError::io("move", from))
        }
        moved => moved.map_err(NodeError::io("move", from)),
    }
}

/// Copies a file, or a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), NodeError> {
    if !from.is_dir() {
        make_parent(to)?;
        return fs::copy(from, to).map(drop).map_err(NodeError::io("copy", from));
    }
    below(from)?.iter().try_for_each(|name| copy(&from.join(name), &to.join(name)))
}

/// Makes a folder, without what an interrupted attempt left in it.
pub(crate) fn make_empty(folder: &Path) -> Result<(), NodeError> {
    remove(folder)?;
    fs::create_dir_all(folder).map_err(NodeError::io("create", folder))
}

/// Removes a folder, or whatever is in its place, if anything is.
pub(crate) fn remove(path: &Path) -> Result<(), NodeError> {
    remove_any(path).map_err(NodeError::io("remove", path))
}

/// Removes a file, a folder with all that is in it, or any other thing, if it is there.
pub(crate) fn remove_any(path: &Path) -> io::Result<()> {
    let removed = fs::symlink_metadata(path).and_then(|found| match found.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    });
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a file, and nothing else: a pipe would wait for whoever writes to it.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path)?.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("not a file")),
    }
}

/// Reads a file, and nothing else.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Result<String, NodeError> {
    fs::read_to_string(path).map_err(NodeError::io("read", path))
}

/// Writes a readable JSON file.
pub(crate) fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), NodeError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| NodeError::content(path, e))?;
    text.push('\n');
    write(path, text)
}

/// Reads a JSON file.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, NodeError> {
    serde_json::from_str(&read(path)?).map_err(|e| NodeError::content(path, e))
}

/// One JSON value a line, for a file.
pub(crate) fn lines<T: Serialize>(path: &Path, values: &[T]) -> Result<String, NodeError> {
    let lines: Result<Vec<_>, _> = values.iter().map(serde_json::to_string).collect();
    let mut text = lines.map_err(|e| NodeError::content(path, e))?.join("\n");
    text.push('\n');
    Ok(text)
}

/// Writes one JSON value a line.
pub(crate) fn write_lines<T: Serialize>(path: &Path, values: &[T]) -> Result<(), NodeError> {
    write(path, lines(path, values)?)
}

/// A mistake in one line, which the parser takes for the first.
fn at_line(line: usize, error: &serde_json::Error) -> String {
    let (text, column) = (error.to_string(), error.column());
    let what = text.strip_suffix(&format!(" at line 1 column {column}")).unwrap_or(&text);
    format!("line {line}, column {column}: {what}")
}

/// Reads one JSON value a line; says which line is wrong.
pub(crate) fn read_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, NodeError> {
    let text = read(path)?;
    let parse = |(i, line)| serde_json::from_str(line).map_err(|e| NodeError::content(path, at_line(i + 1, &e)));
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(parse).collect()
}

/// Every file below a folder, with slashes, sorted.
pub(crate) fn below(folder: &Path) -> Result<Vec<String>, NodeError> {
    let (mut names, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(inside) = open.pop() {
        let path = folder.join(&inside);
        for entry in fs::read_dir(&path).map_err(NodeError::io("list", &path))? {
            let entry = entry.map_err(NodeError::io("list", &path))?;
            let name = inside.join(entry.file_name());
            match entry.path().is_dir() {
                true => open.push(name),
                false => names.extend(name.to_str().map(str::to_owned)),
            }
        }
    }
    names.sort();
    Ok(names)
}
