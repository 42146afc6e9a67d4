//! Why a node fails. Messages are fragments that follow "failed to …" and say where and what to do.

use std::path::{Path, PathBuf};

use hyper_flow_diffusion::DiffusionError;
use hyper_flow_hub::HubError;
use hyper_flow_spec::JobError;

/// Why a node fails.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A model, a weight file or a tensor operation.
    #[error(transparent)]
    Diffusion(#[from] DiffusionError),
    /// A tensor operation outside the models.
    #[error("tensor operation: {0}")]
    Tensor(#[from] tch::TchError),
    /// A download.
    #[error(transparent)]
    Hub(HubError),
    /// A job that does not hang together.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A file that cannot be read or written.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done: "read", "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file whose content is not what it should be.
    #[error("{}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Parameters that do not fit the inputs.
    #[error("{0}")]
    Unfit(String),
    /// A GPU without room for what the node needs.
    #[error("the GPU has no room for it: {said}. {advice}")]
    OutOfMemory {
        /// What libtorch said.
        said: String,
        /// What to change.
        advice: String,
    },
    /// A loss or gradient that is not a finite number.
    #[error(
        "step {step}: {term} is {value}; nothing after step {checkpoint} is kept. Lower `lr` or `grad_clip`, or look at the data"
    )]
    NonFinite {
        /// The step that broke.
        step: u64,
        /// The loss term, or "the gradient of …".
        term: String,
        /// Its value.
        value: f64,
        /// The step of the last good checkpoint; 0 is none.
        checkpoint: u64,
    },
    /// The node was asked to stop, and its checkpoint is written.
    #[error("interrupted after step {step}")]
    Interrupted {
        /// The last step in the checkpoint.
        step: u64,
    },
}

impl NodeError {
    /// For `map_err` on a file operation.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> NodeError {
        let path = path.to_owned();
        move |source| NodeError::Io { action, path, source }
    }

    /// For content that is not what it should be.
    pub(crate) fn content(path: &Path, message: impl ToString) -> NodeError {
        NodeError::Content { path: path.to_owned(), message: message.to_string() }
    }
}

impl From<HubError> for NodeError {
    fn from(error: HubError) -> NodeError {
        match error {
            // What has come stays for the next attempt.
            HubError::Cancelled => NodeError::Interrupted { step: 0 },
            error => NodeError::Hub(error),
        }
    }
}
