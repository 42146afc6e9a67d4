//! What losses and schedules compute in: float32, whatever the networks are in, and float64 for what already is.

use tch::{Kind, Tensor};

/// The kind that tensors of a kind are computed in.
pub(crate) fn computing_kind(kind: Kind) -> Kind {
    if kind == Kind::Double { Kind::Double } else { Kind::Float }
}

/// A tensor in the kind that it is computed in.
pub(crate) fn wide(x: &Tensor) -> Tensor {
    x.to_kind(computing_kind(x.kind()))
}

/// The mean of all values, in the kind that they are computed in.
pub(crate) fn mean(x: &Tensor) -> Tensor {
    x.mean(computing_kind(x.kind()))
}
