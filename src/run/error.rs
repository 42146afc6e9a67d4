//! Why a node, or a whole run, did not come to its end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_flow_cache::{Digest, StoreError};
use miette::Diagnostic;
use rustix::io::Errno;

use crate::worker::WorkerError;

/// What keeps a run from starting or going on at all.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum RunError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A node would have to run, and what it yields cannot be kept.
    #[error("`{node}` has to run, and its artifact could not be kept")]
    #[diagnostic(help(
        "use a store of your own (`--store`), or have the owner of this one share it: `hyper-flow store init --shared`; \
         what is cached can be used as it is"
    ))]
    Unwritable {
        /// The first such node.
        node: String,
        /// What cannot be written.
        #[source]
        source: StoreError,
    },
    /// The system refused what a scheduler needs.
    #[error("failed to {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Why a node was not published.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error("{error}{}", help(.error))]
    Worker { error: Arc<WorkerError> },
    #[error("it cannot run on this machine: {0}; change its `settings`, or run it elsewhere")]
    Lacking(String),
    #[error("there is no program `{program}`: {why}")]
    NoProgram { program: String, why: &'static str },
    #[error("failed to start `{program}`: {source}{}", hint(.source))]
    Start { program: String, source: io::Error },
    #[error("{what}{}", goes_on(*.checkpoint))]
    Ended { what: String, output: Option<String>, checkpoint: Option<u64> },
    #[error("{what}{}", goes_on(*.checkpoint))]
    OutOfMemory { what: String, output: Option<String>, checkpoint: Option<u64> },
    #[error(
        "by `reproducibility: Exact` its key is of `{keyed}`, and it would be computed on `{used}`: say which device in \
         `settings`, as `device: Cpu` or `device: Cuda(0)`"
    )]
    OtherDevice { keyed: String, used: String },
    #[error(
        "it ran longer than its timeout of {} and was killed, with all processes that it had started{}; raise \
         `timeout` in `settings`, or find out why it hangs",
        seconds(*.limit),
        goes_on(*.checkpoint)
    )]
    TimedOut { limit: Duration, output: Option<String>, checkpoint: Option<u64> },
    #[error("it ended well but wrote nothing into {place}, which was to become its artifact")]
    WroteNothing { place: &'static str, output: Option<String> },
    #[error("it removed or replaced $FLOW_OUT, the directory that was to become its artifact; write into it instead")]
    OutputReplaced,
    #[error(
        "it changed its input `{port}` ({files}), so that nothing it wrote can be trusted; copy what is to be changed \
         first. The input itself is safe: where it was the stored file that was changed, that is set aside and made anew"
    )]
    InputAltered { port: String, files: String },
    #[error(
        "`{}` was changed or touched {when}, so that nobody knows which content its result would belong to; run again",
        path.display()
    )]
    SourceChanged { path: PathBuf, when: &'static str },
    #[error("its artifact cannot be kept: {0}")]
    Unkeepable(StoreError),
    #[error("{0}. What it wrote is kept: the next run that has room publishes it, and does not run the node again")]
    Kept(StoreError),
    #[error("{0}")]
    Unfit(String),
    #[error("`{0}` has the same key, so that it is the same work, and failed")]
    Twin(String),
    #[error("artifact {} is altered, and making it anew did not mend that", .0.short())]
    Damaged(Digest),
    #[error("interrupted{}", goes_on(*.checkpoint))]
    Interrupted { checkpoint: Option<u64> },
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("failed to {doing}: {source}{}", hint(.source))]
    System { doing: &'static str, source: io::Error },
}

impl NodeError {
    /// The end of what the process printed.
    pub(super) fn output(&self) -> Option<&str> {
        match self {
            NodeError::Ended { output, .. }
            | NodeError::OutOfMemory { output, .. }
            | NodeError::TimedOut { output, .. }
            | NodeError::WroteNothing { output, .. } => output.as_deref(),
            _ => None,
        }
    }

    /// Whether another attempt may go better.
    pub(super) fn may_pass(&self) -> bool {
        use NodeError::{Ended, TimedOut, WroteNothing};
        matches!(self, Ended { .. } | TimedOut { .. } | WroteNothing { .. })
    }
}

/// What a person can do about a limit of the system.
fn hint(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => {
            "; raise the limit of open files (`ulimit -n`), or run fewer nodes at once (`-j`)"
        }
        Some(Errno::AGAIN) => "; raise the limit of processes (`ulimit -u`), or run fewer nodes at once (`-j`)",
        _ => "",
    }
}

fn help(error: &WorkerError) -> String {
    error.help().map_or_else(String::new, |help| format!("; {help}"))
}

fn goes_on(checkpoint: Option<u64>) -> String {
    checkpoint.map_or_else(String::new, |step| format!("; the next run goes on after step {step}, its last checkpoint"))
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named_by_how_they_are_set() {
        for (errno, names) in [(Errno::MFILE, "ulimit -n"), (Errno::AGAIN, "ulimit -u"), (Errno::NOENT, "sh")] {
            let said = NodeError::Start { program: "sh".to_owned(), source: errno.into() }.to_string();
            assert!(said.contains(names), "{said}");
        }
    }
}
