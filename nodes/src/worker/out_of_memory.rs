//! A GPU that has no room: how it is told apart, and what would need less.

use hyper_flow_spec::Kind;
use hyper_flow_spec::kinds::Precision;

use crate::NodeError;

/// How libtorch and NVIDIA's libraries say it.
const SIGNS: [&str; 4] =
    ["CUDA out of memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"];

/// The error, or that of a GPU without room if that is what it is.
pub(super) fn told(error: NodeError, kind: &Kind) -> NodeError {
    let text = error.to_string();
    let Some(start) = SIGNS.iter().filter_map(|sign| text.find(sign)).min() else { return error };
    // The lines after the first are places in libtorch's sources, and where its documentation is.
    let said = text[start..].lines().next().unwrap_or_default();
    let said = said.split(" If reserved but unallocated").next().unwrap_or_default().trim_end_matches(['.', ' ']);
    NodeError::OutOfMemory { said: said.to_owned(), advice: advice(kind) }
}

/// What of this node could need less.
fn advice(kind: &Kind) -> String {
    let mut advised = Vec::new();
    if let Some(training) = kind.training() {
        let (batch, accumulate) = (training.batch.get(), training.accumulate.get());
        if batch % 2 == 0 {
            let (half, twice) = (batch / 2, accumulate * 2);
            advised.push(format!("`batch: {half}` with `accumulate: {twice}`, which trains the same"));
        } else if batch > 1 {
            advised.push("a smaller `batch`, with more `accumulate`".to_owned());
        }
    } else if field(kind, "batch").is_some_and(|batch| batch.as_i64() > Some(1)) {
        advised.push("a smaller `batch`, which yields the same".to_owned());
    }
    if field(kind, "checkpointing") == Some(false.into()) {
        advised.push("`checkpointing: true`, which yields the same for a third more time".to_owned());
    }
    if kind.precision().is_some_and(|precision| matches!(precision, Precision::Fp32 | Precision::Tf32)) {
        advised.push("`precision: Bf16`".to_owned());
    }
    advised.push("a GPU that nothing else uses (`nvidia-smi`)".to_owned());
    format!("What needs less: {}", advised.join("; "))
}

/// A parameter of a kind, whichever kind it is.
fn field(kind: &Kind, name: &str) -> Option<serde_json::Value> {
    kind.value().to_job().get(name).cloned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SAID: &str = "Torch(\"CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.6 GiB of which \
                        1.1 GiB is free. If reserved but unallocated memory is large try setting X.\\nException raised from …";

    fn told_of(text: &str, kind: &str, params: serde_json::Value) -> NodeError {
        told(NodeError::Unfit(text.to_owned()), &Kind::from_json(kind, params).unwrap())
    }

    #[test]
    fn what_would_need_less_is_named() {
        let error =
            told_of(SAID, "FinetuneLora", json!({"model": "t", "data": "d", "steps": 4, "batch": 6, "accumulate": 2}));
        let text = error.to_string();
        assert!(
            text.starts_with("the GPU has no room for it: CUDA out of memory. Tried to allocate 2.00 GiB."),
            "{text}"
        );
        for advised in ["`batch: 3` with `accumulate: 4`", "`checkpointing: true`", "`precision: Bf16`"] {
            assert!(text.contains(advised), "{advised}: {text}");
        }
        assert!(!text.contains("If reserved"), "{text}");
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let error = told_of("expected scalar type Half", "Digits", json!({"file": "x"}));
        assert!(matches!(error, NodeError::Unfit(_)), "{error}");
    }
}
