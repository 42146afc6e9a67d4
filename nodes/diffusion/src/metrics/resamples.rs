//! The bootstrap (Efron 1979): samples drawn again out of the samples there are.

use std::collections::BTreeMap;

use super::Estimate;
use super::distances::wide;
use crate::rng::Rng;
use tch::{Device, Kind, Tensor};

/// Resamples whose counts are made float64 at once.
const TOGETHER: i64 = 128;

/// How often each of n samples is drawn, when as many are drawn with replacement, many times over.
///
/// Numbers that are computed of the same resamples may be compared in pairs: sample i is of the same noise in all of them.
#[derive(Debug)]
pub struct Resamples {
    /// (resamples, n), int16.
    counts: Tensor,
}

impl Resamples {
    /// Draws `count` of them, each sample out of those with its own stratum (n): so every resample has as many of each.
    pub fn draw(strata: &[i64], count: i64, rng: &mut Rng) -> Self {
        let mut members: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (sample, stratum) in strata.iter().enumerate() {
            members.entry(*stratum).or_default().push(sample);
        }
        let mut counts = vec![0i16; count as usize * strata.len()];
        for resample in counts.chunks_mut(strata.len().max(1)) {
            for own in strata.iter().map(|stratum| &members[stratum]) {
                let drawn = own[rng.below(0, own.len() as i64) as usize];
                resample[drawn] = resample[drawn].saturating_add(1);
            }
        }
        Self { counts: Tensor::from_slice(&counts).reshape([count, strata.len() as i64]) }
    }

    /// Those with these counts (resamples, n).
    pub fn of(counts: &Tensor) -> Self {
        Self { counts: counts.to_kind(Kind::Int16) }
    }

    /// How many samples they are of.
    pub fn samples(&self) -> i64 {
        self.counts.size()[1]
    }

    /// The mean of a value of each sample (n).
    pub fn mean(&self, values: &Tensor) -> Estimate {
        let values = wide(values).to_device(Device::Cpu);
        let mean = |counts: Tensor| counts.to_kind(Kind::Double).matmul(&values) / self.samples();
        let blocks = self.counts.split(TOGETHER, 0).into_iter();
        let replicates = blocks.flat_map(|counts| list(&mean(counts))).collect();
        Estimate::new(values.mean(Kind::Double).double_value(&[]), replicates)
    }

    /// A number that moves by the mean of what each sample (n) does to it: its gradient in their weights.
    pub(super) fn first_order(&self, value: f64, moves: &Tensor) -> Estimate {
        self.mean(&(moves - moves.mean(Kind::Double) + value))
    }

    /// A zero for each resample, float64.
    pub(super) fn zeros(&self) -> Tensor {
        Tensor::zeros([self.counts.size()[0]], (Kind::Double, Device::Cpu))
    }

    /// The counts of some of the samples: (resamples, samples), float64.
    pub(super) fn counts_of(&self, samples: &Tensor) -> Tensor {
        self.counts.index_select(1, samples).to_kind(Kind::Double)
    }
}

/// Numbers of a tensor.
pub(super) fn list(x: &Tensor) -> Vec<f64> {
    let x = x.to_kind(Kind::Double).to_device(Device::Cpu).contiguous();
    let mut values = vec![0.0; x.numel()];
    x.copy_data(&mut values, x.numel());
    values
}
