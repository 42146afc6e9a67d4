//! Fréchet distance of two Gaussians.

use super::distances::wide;
use tch::{Kind, Tensor};

/// `|μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)` of two sets of features `[n, d]` (Heusel et al. 2017), covariances
/// over n − 1.
///
/// The root's trace is that of the symmetric `(Σ_a^½ Σ_b Σ_a^½)^½`, whose eigenvalues are real and not negative, also
/// where a set has fewer samples than features. Each set needs two samples at least, otherwise the result is NaN.
pub fn frechet_distance(a: &Tensor, b: &Tensor) -> f64 {
    let (mean_a, cov_a) = moments(&wide(a));
    let (mean_b, cov_b) = moments(&wide(b));
    if [&cov_a, &cov_b].iter().any(|cov| cov.isfinite().all().int64_value(&[]) == 0) {
        return f64::NAN;
    }
    let between = (mean_a - mean_b).square().sum(Kind::Double);
    let root_a = square_root(&cov_a);
    let product = root_a.matmul(&cov_b).matmul(&root_a);
    let trace_of_root = eigenvalues(&product).sqrt().sum(Kind::Double);
    (between + cov_a.trace() + cov_b.trace() - trace_of_root * 2.0).double_value(&[])
}

fn moments(x: &Tensor) -> (Tensor, Tensor) {
    let mean = x.mean_dim(0i64, false, Kind::Double);
    let centred = x - &mean;
    let covariance = centred.tr().matmul(&centred) / (x.size()[0] - 1) as f64;
    (mean, covariance)
}

/// The square root of a symmetric positive semi-definite matrix.
fn square_root(matrix: &Tensor) -> Tensor {
    let (values, vectors) = matrix.linalg_eigh("L");
    (&vectors * values.clamp_min(0.0).sqrt()).matmul(&vectors.tr())
}

/// Eigenvalues of an almost symmetric, positive semi-definite matrix; rounding's negative ones are 0.
fn eigenvalues(matrix: &Tensor) -> Tensor {
    ((matrix + matrix.tr()) / 2.0).linalg_eigvalsh("L").clamp_min(0.0)
}
