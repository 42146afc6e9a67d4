//! Mean pairwise distance, and agreement of pictures with their captions.

use super::distances::{blocks, wide};
use tch::{Kind, Tensor};

/// Mean Euclidean distance between two different samples of features `[n, d]`; NaN for fewer than two.
pub fn diversity(features: &Tensor) -> f64 {
    let x = wide(features);
    let n = x.size()[0];
    let total: f64 = blocks(&x, &x).map(|block| block.sum(Kind::Double).double_value(&[])).sum();
    total / (n * (n - 1)) as f64
}

/// Cosine of each row of `a` with the same row of `b`, as float64 `[n]`.
pub fn cosine_similarity(a: &Tensor, b: &Tensor) -> Tensor {
    (unit(a) * unit(b)).sum_dim_intlist(-1i64, false, Kind::Double)
}

/// The "CLIP score" of the literature from the mean cosine of pictures and captions: 100 times it, and not below 0.
pub fn clip_score(mean_cosine: f64) -> f64 {
    (100.0 * mean_cosine).max(0.0)
}

fn unit(x: &Tensor) -> Tensor {
    let x = x.to_kind(Kind::Double);
    &x / x.square().sum_dim_intlist(-1i64, true, Kind::Double).sqrt()
}
