//! Downloads of a job: what they report, and how they are stopped.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use hyper_flow_hub::{HubError, Patience, Watch, download_url};
use hyper_flow_spec::{Level, Sha256, Url};

use crate::worker::Context;
use crate::{NodeError, files};

const MB: u64 = 1_000_000;
/// Between two reports of progress.
const BETWEEN: Duration = Duration::from_millis(500);

/// Fetches a file, which is at `to` only when it has the hash that it must have. One that was begun is gone on with.
pub(crate) fn download(context: &Context, url: &Url, sha256: &Sha256, to: &Path) -> Result<(), NodeError> {
    files::make_parent(to)?;
    let watcher = Watcher { context, reported: Cell::new(None) };
    download_url(url.as_str(), sha256.as_str(), to, Patience::default(), &watcher).map_err(|error| match error {
        HubError::Cancelled => NodeError::Interrupted { step: 0 },
        error => error.into(),
    })
}

/// Tells the job's listener how a download gets on.
struct Watcher<'a> {
    context: &'a Context,
    reported: Cell<Option<Instant>>,
}

impl Watch for Watcher<'_> {
    fn progress(&self, done: u64, of: Option<u64>) {
        let due = self.reported.get().is_none_or(|at| at.elapsed() >= BETWEEN);
        if let (true, Some(of)) = (due, of) {
            self.reported.set(Some(Instant::now()));
            self.context.reporter.progress(done / MB, of.div_ceil(MB), "MB");
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
