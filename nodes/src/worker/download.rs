//! Downloads of a job: what they report, and how they are stopped.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper_flow_hub::{Patience, Watch, choose, download_url};
use hyper_flow_spec::{File, Hub, Level, Sha256, Url};

use crate::worker::Context;
use crate::{NodeError, files};

/// Between two reports of progress.
const BETWEEN: Duration = Duration::from_millis(500);

/// Fetches a file, which is at `to` only when it has the hash that it must have. One that was begun is gone on with.
pub(crate) fn download(context: &Context, url: &Url, sha256: &Sha256, to: &Path) -> Result<(), NodeError> {
    files::make_parent(to)?;
    Ok(download_url(url.as_str(), sha256.as_str(), to, Patience::default(), &Watcher::new(context))?)
}

/// The path of what a parameter takes from this machine, or else from a hub: there the files that it names or, if it names
/// none, of all names those that `needed` chooses. An error of that says what the repository lacks: "has no …".
pub(crate) fn file_or_hub(
    context: &Context,
    file: Option<&File>,
    hub: Option<&Hub>,
    needed: impl FnOnce(&[&str]) -> Result<Vec<String>, String>,
) -> Result<PathBuf, NodeError> {
    match (file, hub) {
        (Some(file), None) => Ok(context.file(file)?.to_owned()),
        (None, Some(hub)) => from_hub(context, hub, needed),
        _ => Err(NodeError::Unfit("a parameter and its `hub` are both given, or neither".into())),
    }
}

/// Fetches from a hub: the path of the one file, or of the folder of several. They are in the job's scratch directory, where
/// whole files and begun ones survive the process, and those of each repository and commit in a folder of their own.
fn from_hub(
    context: &Context,
    hub: &Hub,
    needed: impl FnOnce(&[&str]) -> Result<Vec<String>, String>,
) -> Result<PathBuf, NodeError> {
    let watcher = Watcher::new(context);
    let (repo, commit) = (hub.repo.as_str().parse()?, hub.revision.as_str());
    let server = hyper_flow_hub::Hub::from_env()?;
    let there = server.files(&repo, commit, &watcher)?;
    let names: Vec<&str> = there.iter().map(|file| file.path.as_str()).collect();
    let wanted = match hub.files.is_empty() {
        true => needed(&names).map_err(|why| NodeError::Unfit(format!("{repo} at {commit} {why}")))?,
        false => hub.files.clone(),
    };
    let wanted = choose(&there, &wanted, &repo)?;
    let folder = context.job.scratch.join("hub").join(hub.repo.as_str()).join(commit);
    server.download_all(&repo, commit, &wanted, &folder, &watcher)?;
    Ok(match wanted.as_slice() {
        [only] => folder.join(&only.path),
        _ => folder,
    })
}

/// Tells the job's listener how a download gets on.
struct Watcher<'a> {
    context: &'a Context,
    reported: Cell<Option<Instant>>,
}

impl Watcher<'_> {
    fn new(context: &Context) -> Watcher<'_> {
        Watcher { context, reported: Cell::new(None) }
    }
}

impl Watch for Watcher<'_> {
    fn progress(&self, done: u64, of: Option<u64>) {
        let Some(of) = of else { return };
        let due = self.reported.get().is_none_or(|at| at.elapsed() >= BETWEEN);
        if due || done == of {
            self.reported.set(Some(Instant::now()));
            self.context.reporter.progress(done, of, "bytes");
        }
    }

    fn pause(&self, why: &str, wait: Duration) {
        let text = format!("{why}; trying again in {:.0} s", wait.as_secs_f64());
        self.context.reporter.message(Level::Info, text);
    }

    fn cancelled(&self) -> bool {
        self.context.cancel.requested()
    }
}
