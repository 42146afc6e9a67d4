//! Euclidean distances between two sets, a block of rows at a time.

use tch::{Kind, Tensor};

/// Rows a block: 1,024 against 50,000 columns are 400 MB of float64.
const ROWS: i64 = 1024;
/// `cdist` without its matrix product, whose cancellation spoils small distances.
const EXACT: i64 = 2;

/// Distances of a block of rows of `a` to all rows of `b`, each `[rows, n_b]`, in order.
pub(super) fn blocks<'t>(a: &'t Tensor, b: &'t Tensor) -> impl Iterator<Item = Tensor> + 't {
    let count = a.size()[0];
    (0..count)
        .step_by(ROWS as usize)
        .map(move |start| Tensor::cdist(&a.narrow(0, start, ROWS.min(count - start)), b, 2.0, EXACT))
}

/// Features as float64, without history.
pub(super) fn wide(features: &Tensor) -> Tensor {
    features.detach().to_kind(Kind::Double)
}
