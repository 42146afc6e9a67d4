//! Fréchet distance of two Gaussians.

use super::distances::wide;
use super::{Estimate, Resamples};
use tch::{Kind, Tensor};

/// `|μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½)` of two sets of features `[n, d]` (Heusel et al. 2017), covariances
/// over n − 1.
///
/// The root's trace is that of the symmetric `(Σ_a^½ Σ_b Σ_a^½)^½`, whose eigenvalues are real and not negative, also
/// where a set has fewer samples than features. Each set needs two samples at least, otherwise the result is NaN.
pub fn frechet_distance(a: &Tensor, b: &Tensor) -> f64 {
    Gaussian::of(a).distance(&Gaussian::of(b)).map_or(f64::NAN, |(distance, _)| distance)
}

/// Mean and covariance of a set of features, and the covariance's root.
#[derive(Debug)]
pub(super) struct Gaussian {
    mean: Tensor,
    covariance: Tensor,
    root: Option<Tensor>,
}

/// The eigenvalues (d) and eigenvectors (d, d) of `Σ_a^½ Σ_b Σ_a^½`.
type Product = (Tensor, Tensor);

impl Gaussian {
    pub(super) fn of(features: &Tensor) -> Self {
        let x = wide(features);
        let mean = x.mean_dim(0i64, false, Kind::Double);
        let centred = x - &mean;
        let covariance = centred.tr().matmul(&centred) / (centred.size()[0] - 1) as f64;
        let finite = covariance.isfinite().all().int64_value(&[]) != 0;
        Self { root: finite.then(|| square_root(&covariance)), mean, covariance }
    }

    /// The distance, and what its root is of; none where a covariance is not finite.
    fn distance(&self, other: &Gaussian) -> Option<(f64, Product)> {
        let (root, _) = self.root.as_ref().zip(other.root.as_ref())?;
        let between = (&self.mean - &other.mean).square().sum(Kind::Double);
        let product = root.matmul(&other.covariance).matmul(root);
        // Almost symmetric and positive semi-definite: rounding's negative eigenvalues are 0.
        let (values, vectors) = ((&product + product.tr()) / 2.0).linalg_eigh("L");
        let values = values.clamp_min(0.0);
        let trace_of_root = values.sqrt().sum(Kind::Double);
        let distance = between + self.covariance.trace() + other.covariance.trace() - trace_of_root * 2.0;
        Some((distance.double_value(&[]), (values, vectors)))
    }

    /// The distance to a set of features `[n, d]`, which may be resampled.
    ///
    /// The distance of each resample is taken to first order: it moves by the mean of what each sample does to it. With
    /// `z = x − μ_b` that is `2 (μ_b − μ_a)·z + z·(1 − Σ_a^½ (Σ_a^½ Σ_b Σ_a^½)^−½ Σ_a^½)·z`, the gradient in mean and covariance.
    /// So it costs what a mean does, and no root for each resample; and it leaves out how much larger the distance gets of
    /// itself where samples repeat, which would say nothing about the sample.
    pub(super) fn estimate(&self, features: &Tensor, resamples: &Resamples) -> Estimate {
        let other = Gaussian::of(features);
        let Some((distance, (values, vectors))) = self.distance(&other) else {
            return Estimate::new(f64::NAN, Vec::new());
        };
        let Some(root) = &self.root else { return Estimate::new(f64::NAN, Vec::new()) };
        let z = wide(features) - &other.mean;
        let along = z.matmul(root).matmul(&vectors).square();
        // Where samples do not spread, no resample of them does.
        let inverse = values.clamp_min(f64::MIN_POSITIVE).rsqrt() * values.greater(0.0);
        let spread = z.square().sum_dim_intlist(1i64, false, Kind::Double) - along.matmul(&inverse);
        let n = z.size()[0] as f64;
        let moves = z.matmul(&(&other.mean - &self.mean)) * 2.0 + spread * (n / (n - 1.0));
        resamples.first_order(distance, &moves).within(0.0, f64::INFINITY)
    }
}

/// The square root of a symmetric positive semi-definite matrix.
fn square_root(matrix: &Tensor) -> Tensor {
    let (values, vectors) = matrix.linalg_eigh("L");
    (&vectors * values.clamp_min(0.0).sqrt()).matmul(&vectors.tr())
}
