//! Fidelity and coverage by balls around samples that reach to the k-th nearest neighbour.

use super::distances::{blocks, wide};
use super::frechet::Gaussian;
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
        Ok(Self { gaussian: Gaussian::of(&features), radii: Balls::of(&features, k).radii, features, k })
    }

    /// [`frechet_distance`](super::frechet_distance) to generated features `[m, d]`.
    pub fn frechet(&self, generated: &Tensor, resamples: &Resamples) -> Estimate {
        self.gaussian.estimate(generated, resamples)
    }

    /// Precision, recall, density and coverage of generated features `[m, d]`. Real samples are not resampled.
    ///
    /// Recall and coverage of each resample are taken to first order, by what they lose when a sample is left out (the
    /// jackknife, whose variance is at least the true one on average: Efron and Stein 1981): repeated samples would shrink the
    /// balls around them.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] unless there are more than k of them.
    pub fn manifold(&self, generated: &Tensor, resamples: &Resamples) -> Result<Manifold, DiffusionError> {
        check_enough(self.k, generated)?;
        let generated = wide(generated);
        let own = Balls::of(&generated, self.k);
        let mut real_balls = Tensor::zeros([generated.size()[0]], (Kind::Int64, generated.device()));
        let (mut recalled, mut covered) = (Held::new(&real_balls), Held::new(&real_balls));
        let mut row = 0;
        for block in blocks(&self.features, &generated) {
            let rows = block.size()[0];
            let inside = block.less_tensor(&self.radii.narrow(0, row, rows).unsqueeze(1));
            real_balls += inside.sum_dim_intlist(0i64, false, Kind::Int64);
            covered.add(&inside, &inside.zeros_like());
            recalled.add(&block.less_tensor(&own.radii), &own.gained(&block));
            row += rows;
        }
        Ok(Manifold {
            precision: resamples.mean(&real_balls.greater(0)).within(0.0, 1.0),
            recall: recalled.share(row, resamples),
            density: resamples.mean(&(real_balls.to_kind(Kind::Double) / self.k)),
            coverage: covered.share(row, resamples),
        })
    }
}

/// Balls around samples, and what they are without one of them.
struct Balls {
    /// To the k-th neighbour: (n).
    radii: Tensor,
    /// To the next one.
    wider: Tensor,
    /// Which samples the k nearest neighbours are: k times (n).
    neighbours: Vec<Tensor>,
}

impl Balls {
    fn of(x: &Tensor, k: i64) -> Self {
        let n = x.size()[0];
        // The nearest of all is the sample itself.
        let nearest = blocks(x, x).map(|block| block.topk((k + 2).min(n), 1, false, true));
        let (distances, places): (Vec<_>, Vec<_>) = nearest.unzip();
        let (distances, places) = (Tensor::cat(&distances, 0), Tensor::cat(&places, 0));
        let radii = distances.select(1, k);
        let wider = if n > k + 1 { distances.select(1, k + 1) } else { radii.full_like(f64::INFINITY) };
        Self { radii, wider, neighbours: (1..=k).map(|i| places.select(1, i)).collect() }
    }

    /// How many balls reach something (rows, at these distances to the samples) only when the sample of a column is left out:
    /// those whose neighbour it is, up to the next one.
    fn gained(&self, distances: &Tensor) -> Tensor {
        let shell = distances.greater_equal_tensor(&self.radii).logical_and(&distances.less_tensor(&self.wider));
        let shell = shell.to_kind(Kind::Float);
        let add = |gained: Tensor, without: &Tensor| gained.index_add(1, without, &shell);
        self.neighbours.iter().fold(shell.zeros_like(), add)
    }
}

/// How many things are held by at least one sample.
struct Held {
    count: f64,
    /// How many fewer it is without each sample (m).
    lost: Tensor,
}

impl Held {
    fn new(samples: &Tensor) -> Self {
        Self { count: 0.0, lost: samples.zeros_like().to_kind(Kind::Double) }
    }

    /// Adds things (rows) that samples hold (columns), and how many other samples hold them only without that of the column.
    fn add(&mut self, holds: &Tensor, gained: &Tensor) {
        let held = holds.any_dim(1, true);
        let others = holds.sum_dim_intlist(1i64, true, Kind::Float) - holds.to_kind(Kind::Float) + gained;
        let lost = held.to_kind(Kind::Float) - others.greater(0.0).to_kind(Kind::Float);
        self.lost += lost.sum_dim_intlist(0i64, false, Kind::Double);
        self.count += held.sum(Kind::Double).double_value(&[]);
    }

    fn share(&self, of: i64, resamples: &Resamples) -> Estimate {
        let others = (resamples.samples() - 1) as f64;
        resamples.first_order(self.count / of as f64, &(&self.lost * (others / of as f64))).within(0.0, 1.0)
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
