//! Which files were saved.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf, absolute};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// An editor saves in several steps, and a program may save several files: what follows within this time is one change.
const QUIET: Duration = Duration::from_millis(200);
/// But a file that is written to all the time is looked at in between.
const AT_MOST: Duration = Duration::from_secs(2);

/// Files and folders that are watched. Their folders are what the system watches, since editors put a new file in the
/// place of the old one.
pub(super) struct Saved {
    watcher: RecommendedWatcher,
    events: Mutex<Receiver<notify::Result<notify::Event>>>,
    /// The paths that were asked for, and what they lead to.
    wanted: BTreeSet<PathBuf>,
    watched: BTreeSet<PathBuf>,
    /// Below it everything is of no interest: the store.
    except: PathBuf,
}

impl Saved {
    /// Nothing yet; what lies below `except` never.
    pub(super) fn new(except: &Path) -> notify::Result<Saved> {
        let (sender, events) = channel();
        let watcher = notify::recommended_watcher(sender)?;
        let except = except.canonicalize().unwrap_or_else(|_| except.to_owned());
        Ok(Saved { watcher, events: Mutex::new(events), wanted: BTreeSet::new(), watched: BTreeSet::new(), except })
    }

    /// This too from now on; a folder with all that is in it.
    pub(super) fn watch(&mut self, path: &Path) -> notify::Result<()> {
        let path = absolute(path).unwrap_or_else(|_| path.to_owned());
        for path in [path.canonicalize().unwrap_or_else(|_| path.clone()), path] {
            if path.is_dir() {
                self.ask(&path, RecursiveMode::Recursive)?;
            }
            if let Some(folder) = path.parent() {
                self.ask(folder, RecursiveMode::NonRecursive)?;
            }
            self.wanted.insert(path);
        }
        Ok(())
    }

    fn ask(&mut self, folder: &Path, mode: RecursiveMode) -> notify::Result<()> {
        if folder.is_dir() && self.watched.insert(folder.to_owned()) {
            self.watcher.watch(folder, mode)?;
        }
        Ok(())
    }

    /// Whether something of it was saved within a time. Comes back when it is quiet again.
    pub(super) fn wait(&self, within: Duration) -> bool {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + within;
        let mut saved = false;
        while !saved {
            match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(event) => saved = self.concerns(&event),
                Err(_) => return false,
            }
        }
        let until = Instant::now() + AT_MOST;
        while Instant::now() < until && events.recv_timeout(QUIET).is_ok() {}
        true
    }

    /// Reading is no change. What the system could not tell apart may be one.
    fn concerns(&self, event: &notify::Result<notify::Event>) -> bool {
        let Ok(event) = event else { return true };
        let wanted = |path: &PathBuf| self.wanted.iter().any(|wanted| path.starts_with(wanted));
        let concerns = |path: &PathBuf| wanted(path) && !path.starts_with(&self.except);
        !matches!(event.kind, EventKind::Access(_)) && (event.need_rescan() || event.paths.iter().any(concerns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(300);

    #[test]
    fn files_that_are_replaced_and_files_in_folders_are_seen_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let write = |name: &str| std::fs::write(path(name), "x").unwrap();
        std::fs::create_dir_all(path("pictures/deep")).unwrap();
        std::fs::create_dir_all(path("pictures/store")).unwrap();
        write("p.ron");
        std::os::unix::fs::symlink("p.ron", path("link.ron")).unwrap();
        let mut saved = Saved::new(&path("pictures/store")).unwrap();
        saved.watch(&path("link.ron")).unwrap();
        saved.watch(&path("pictures")).unwrap();
        write("q.ron");
        write("pictures/store/object");
        std::fs::read(path("p.ron")).unwrap();
        assert!(!saved.wait(SHORT));
        write("p.ron");
        assert!(saved.wait(LONG) && !saved.wait(SHORT), "several events are one change");
        write("new");
        std::fs::rename(path("new"), path("p.ron")).unwrap();
        assert!(saved.wait(LONG));
        write("pictures/deep/a.png");
        assert!(saved.wait(LONG));
    }
}
