//! What keeps a pipeline from being planned.

use hyper_flow_cache::StoreError;
use miette::Diagnostic;

use crate::error::Failure;

/// What keeps a pipeline from being planned.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PlanError {
    /// A target that the pipeline does not have.
    #[error("there is no node `{name}` in {}", pipeline.display())]
    UnknownNode {
        /// As asked for.
        name: String,
        /// The pipeline's file.
        pipeline: std::path::PathBuf,
        /// The nearest names.
        #[help]
        help: String,
    },
    /// A node that is to run in any case, and is not among those that are run at all.
    #[error("node `{node}` cannot be forced to run: none of the nodes that are asked for needs it")]
    #[diagnostic(help("name it with them, or name none to run all"))]
    NotSelected {
        /// The node.
        node: String,
    },
    /// A file or folder of a node that cannot be read.
    #[error("node `{node}` cannot use {path}")]
    Source {
        /// The node.
        node: String,
        /// The path as the pipeline says.
        path: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Failure {
        match error {
            PlanError::Store(error) => Failure::Store(error),
            other => Failure::user(other),
        }
    }
}
