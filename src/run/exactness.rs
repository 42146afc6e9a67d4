//! Exact reproducibility at run time: where a node computes must be what its key says.

use super::attempt::{Attempt, Report};
use super::error::NodeError;

/// Before anything is computed: a key for a GPU wants one, and one for the CPU none.
pub(super) fn check_grant(attempt: &Attempt<'_>) -> Result<(), NodeError> {
    let Some(class) = class(attempt) else { return Ok(()) };
    let has_gpu = !attempt.gpus.is_empty();
    if class.starts_with("cuda:") == has_gpu {
        return Ok(());
    }
    let used = if has_gpu { "a GPU" } else { "the CPU" };
    Err(NodeError::OtherDevice { keyed: class.to_owned(), used: used.to_owned() })
}

/// Afterwards: the worker has said which device it was.
pub(super) fn check_report(attempt: &Attempt<'_>, report: &Report) -> Result<(), NodeError> {
    let (Some(class), Some(device), Some(libtorch)) = (class(attempt), &report.device, &report.libtorch) else {
        return Ok(());
    };
    let used = format!("{device} libtorch {libtorch}");
    if used == class { Ok(()) } else { Err(NodeError::OtherDevice { keyed: class.to_owned(), used }) }
}

fn class<'a>(attempt: &'a Attempt<'_>) -> Option<&'a str> {
    attempt.context.plan.classes.get(&attempt.node.name)
}
