//! Where event files are.

use std::path::{Path, PathBuf};
use std::{fs, io};

use hyper_flow_cache::{Key, Store};
use prost::Message;

use super::proto::Event;
use super::record;
use crate::run::file_name;
use crate::runs::using;

/// What is in the name of every event file, and of no other file.
const INFIX: &str = "tfevents";

/// The folder of a node in the directory of a run.
pub(super) fn folder(run: &Path, pipeline: &str, node: &str) -> PathBuf {
    run.join(file_name(pipeline)).join(file_name(node))
}

/// A name that comes after those in the folder: files are read in the order of their names.
pub(super) fn next(folder: &Path, run: &str) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let number = |name: &str| name.split('.').nth(3)?.parse::<u64>().ok();
    let last = files(folder).iter().filter_map(|path| number(path.file_name()?.to_str()?)).max();
    let number = last.map_or(1, |last| last.saturating_add(1));
    Ok(folder.join(format!("events.out.{INFIX}.{number:010}.{run}")))
}

/// Takes from the files in a folder what is told anew from `first` on. TensorBoard would pass over it; what reads each file
/// alone would not.
pub(super) fn cut(folder: &Path, first: u64) -> io::Result<()> {
    let stays = |record: &[u8]| {
        Event::decode(record).is_ok_and(|event| u64::try_from(event.step).is_ok_and(|step| step < first))
    };
    for file in files(folder) {
        if record::cut(&file, stays)? == 0 {
            fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// Moves what an earlier run wrote of the training with this key into the folder in which it goes on.
pub(super) fn take_over(store: &Store, key: &Key, run: &Path, to: &Path) {
    let earlier = using(store, key).filter(|using| using.began && using.run.path != run);
    let folders = earlier.filter_map(|using| {
        let name = using.run.description()?.name;
        Some(folder(&using.run.path, &name, &using.node))
    });
    // What cannot be moved stays where it is, and is a curve of its own.
    let _ = folders.into_iter().find(|from| !files(from).is_empty()).map(|from| move_files(&from, to));
}

fn move_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for file in files(from) {
        let target = to.join(file.file_name().unwrap_or_default());
        if !target.exists() {
            fs::rename(file, target)?;
        }
    }
    // A folder that holds something else stays.
    fs::remove_dir(from)?;
    from.parent().map_or(Ok(()), fs::remove_dir)
}

/// The event files in a folder, in their order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let named = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().contains(INFIX));
    let mut files: Vec<PathBuf> = paths.filter(named).collect();
    files.sort_unstable();
    files
}
