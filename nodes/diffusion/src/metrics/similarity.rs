//! Mean pairwise distance, and agreement of pictures with their captions.

use super::distances::{blocks, wide};
use super::resamples::list;
use super::{Estimate, Resamples};
use tch::{Device, Kind, Tensor};

/// Mean Euclidean distance between two different samples of features `[n, d]`; NaN for fewer than two.
pub fn diversity(features: &Tensor) -> f64 {
    let x = wide(features);
    let n = x.size()[0];
    let total: f64 = blocks(&x, &x).map(|block| block.sum(Kind::Double).double_value(&[])).sum();
    total / (n * (n - 1)) as f64
}

/// [`diversity`] inside of groups of samples, averaged over the groups. Of a resample, without pairs of a sample with itself
/// and without groups of which no two samples are in it.
///
/// `groups` are the places of their samples in features `[n, d]`, at least two each. None without a group.
pub fn diversity_within(features: &Tensor, groups: &[Vec<i64>], resamples: &Resamples) -> Option<Estimate> {
    let (mut total, mut sum, mut present) = (0.0, resamples.zeros(), resamples.zeros());
    for group in groups {
        let places = Tensor::from_slice(group);
        let own = features.index_select(0, &places.to_device(features.device()));
        total += diversity(&own);
        let replicates = resampled_diversity(&own, &resamples.counts_of(&places));
        present += replicates.isfinite();
        sum += replicates.nan_to_num(0.0, 0.0, 0.0);
    }
    (!groups.is_empty()).then(|| Estimate::new(total / groups.len() as f64, list(&(sum / present))))
}

/// The diversity of features `[n, d]` as often as counts (resamples, n) say; NaN where no two of them are different samples.
fn resampled_diversity(features: &Tensor, counts: &Tensor) -> Tensor {
    let x = wide(features).to_device(Device::Cpu);
    let own_pairs = counts.square().sum_dim_intlist(1i64, false, Kind::Double);
    let pairs = counts.sum_dim_intlist(1i64, false, Kind::Double).square() - own_pairs;
    let (mut total, mut row) = (pairs.zeros_like(), 0);
    for block in blocks(&x, &x) {
        let own = counts.narrow(1, row, block.size()[0]);
        total += (counts.matmul(&block.tr()) * own).sum_dim_intlist(1i64, false, Kind::Double);
        row += block.size()[0];
    }
    total / pairs
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
