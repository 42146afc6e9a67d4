//! Fidelity and coverage by balls around samples that reach to the k-th nearest neighbour.

use super::distances::{blocks, wide};
use super::frechet::Gaussian;
use super::resamples::list;
use super::{Estimate, Resamples};
use crate::DiffusionError;
use tch::{Kind, Tensor};

/// How generated samples lie among real ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifold {
    /// Share of generated samples inside some real ball (Kynkäänniemi et al. 2019).
    pub precision: Estimate,
    /// Share of real samples inside some generated ball (Kynkäänniemi et al. 2019).
    pub recall: Estimate,
    /// Mean number of real balls around a generated sample, over k (Naeem et al. 2020). May exceed 1.
    pub density: Estimate,
    /// Share of real balls that hold a generated sample (Naeem et al. 2020).
    pub coverage: Estimate,
}

/// Real samples that generated ones are held to: what is of them alone is computed once.
#[derive(Debug)]
pub struct Real {
    gaussian: Gaussian,
    features: Tensor,
    radii: Tensor,
    k: i64,
}

impl Real {
    /// Of features `[n, d]`, with balls that reach to the k-th neighbour.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] unless there are more than `k ≥ 1` samples.
    pub fn new(features: &Tensor, k: i64) -> Result<Self, DiffusionError> {
        check_enough(k, features)?;
        let features = wide(features);
        Ok(Self { gaussian: Gaussian::of(&features), radii: radii(&features, k), features, k })
    }

    /// [`frechet_distance`](super::frechet_distance) to generated features `[m, d]`.
    pub fn frechet(&self, generated: &Tensor, resamples: &Resamples) -> Estimate {
        self.gaussian.estimate(generated, resamples)
    }

    /// Precision, recall, density and coverage of generated features `[m, d]`.
    ///
    /// Generated samples are resampled, each with the ball that it has among all of them; real ones stay.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] unless there are more than k of them.
    pub fn manifold(&self, generated: &Tensor, resamples: &Resamples) -> Result<Manifold, DiffusionError> {
        check_enough(self.k, generated)?;
        let generated = wide(generated);
        let n = self.features.size()[0];
        let own_radii = radii(&generated, self.k);
        let present = resamples.present().to_device(generated.device());
        let mut real_balls = Tensor::zeros([generated.size()[0]], (Kind::Int64, generated.device()));
        let (mut recalled, mut covered) = (Union::new(&present), Union::new(&present));
        let mut row = 0;
        for block in blocks(&self.features, &generated) {
            let rows = block.size()[0];
            let inside = block.less_tensor(&self.radii.narrow(0, row, rows).unsqueeze(1));
            real_balls += inside.sum_dim_intlist(0i64, false, Kind::Int64);
            covered.add(&inside);
            recalled.add(&block.less_tensor(&own_radii.unsqueeze(0)));
            row += rows;
        }
        Ok(Manifold {
            precision: resamples.mean(&real_balls.greater(0)).within(0.0, 1.0),
            recall: recalled.share(n),
            density: resamples.mean(&(real_balls.to_kind(Kind::Double) / self.k)),
            coverage: covered.share(n),
        })
    }
}

/// How many things are held by at least one sample, and by one that is in each resample.
struct Union<'t> {
    /// (samples, resamples)
    present: &'t Tensor,
    held: f64,
    replicates: Tensor,
}

impl<'t> Union<'t> {
    fn new(present: &'t Tensor) -> Self {
        let replicates = Tensor::zeros([present.size()[1]], (Kind::Double, present.device()));
        Self { present, held: 0.0, replicates }
    }

    /// Adds things (rows) and which samples hold them (columns).
    fn add(&mut self, holds: &Tensor) {
        self.held += holds.any_dim(1, false).sum(Kind::Double).double_value(&[]);
        let holders = holds.to_kind(Kind::Float).matmul(self.present);
        self.replicates += holders.greater(0.5).sum_dim_intlist(0i64, false, Kind::Double);
    }

    fn share(&self, of: i64) -> Estimate {
        let replicates = list(&(&self.replicates / of));
        Estimate::new(self.held / of as f64, replicates).within(0.0, 1.0)
    }
}

fn check_enough(k: i64, features: &Tensor) -> Result<(), DiffusionError> {
    let count = features.size()[0];
    if k >= 1 && count > k {
        return Ok(());
    }
    let message = format!("{k} neighbours need more than {k} samples on each side, and at least 2: there are {count}");
    Err(DiffusionError::Config { what: "neighbours".into(), message })
}

/// Distance of each sample to its k-th nearest other sample.
fn radii(x: &Tensor, k: i64) -> Tensor {
    // The nearest of all is the sample itself.
    let radii: Vec<_> = blocks(x, x).map(|block| block.kthvalue(k + 1, 1, false).0).collect();
    Tensor::cat(&radii, 0)
}
