//! Downloads of a job: what they report, and how they are stopped.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper_flow_hub::{Patience, RemoteFile, Watch, choose, download_url};
use hyper_flow_spec::{Hub, Level, Sha256, Url};

use crate::worker::Context;
use crate::{NodeError, files};

/// Between two reports of progress.
const BETWEEN: Duration = Duration::from_millis(500);

/// Fetches a file, which is at `to` only when it has the hash that it must have. One that was begun is gone on with.
pub(crate) fn download(context: &Context, url: &Url, sha256: &Sha256, to: &Path) -> Result<(), NodeError> {
    files::make_parent(to)?;
    Ok(download_url(url.as_str(), sha256.as_str(), to, Patience::default(), &Watcher::new(context))?)
}

/// Fetches the files of a hub that the parameter names or, if it names none, that `needed` chooses: the path of the one file,
/// or of the folder of several. They are in the job's scratch directory, where whole files and begun ones survive the process.
pub(crate) fn from_hub(
    context: &Context,
    hub: &Hub,
    needed: impl FnOnce(&[RemoteFile]) -> Result<Vec<RemoteFile>, String>,
) -> Result<PathBuf, NodeError> {
    let watcher = Watcher::new(context);
    let (repo, commit) = (hub.repo.as_str().parse()?, hub.revision.as_str());
    let server = hyper_flow_hub::Hub::from_env()?;
    let there = server.files(&repo, commit, &watcher)?;
    let wanted = match hub.files.is_empty() {
        true => needed(&there).map_err(|why| NodeError::Unfit(format!("{repo} at {commit} {why}")))?,
        false => choose(&there, &hub.files, &repo)?,
    };
    let folder = context.job.scratch.join("hub");
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
