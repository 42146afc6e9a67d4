//! Fidelity and coverage by balls around samples that reach to the k-th nearest neighbour.

use super::distances::{blocks, wide};
use crate::DiffusionError;
use tch::{Kind, Tensor};

/// How generated samples lie among real ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manifold {
    /// Share of generated samples inside some real ball (Kynkäänniemi et al. 2019).
    pub precision: f64,
    /// Share of real samples inside some generated ball (Kynkäänniemi et al. 2019).
    pub recall: f64,
    /// Mean number of real balls around a generated sample, over k (Naeem et al. 2020). May exceed 1.
    pub density: f64,
    /// Share of real balls that hold a generated sample (Naeem et al. 2020).
    pub coverage: f64,
}

/// Precision, recall, density and coverage of generated features `[m, d]` against real ones `[n, d]`.
///
/// # Errors
/// [`DiffusionError::Config`] unless both sets have more than `k ≥ 1` samples.
pub fn manifold(real: &Tensor, generated: &Tensor, k: i64) -> Result<Manifold, DiffusionError> {
    let (real, generated) = (wide(real), wide(generated));
    let (n, m) = (real.size()[0], generated.size()[0]);
    if k < 1 || n.min(m) <= k {
        let message = format!("{k} neighbours need more than {k} samples on each side, at least 2: {n} and {m}");
        return Err(DiffusionError::Config { what: "neighbours".into(), message });
    }
    let counts = Counts::of(&real, &generated, k);
    let share = |count: &Tensor, of: i64| count.greater(0).sum(Kind::Double).double_value(&[]) / of as f64;
    Ok(Manifold {
        precision: share(&counts.real_balls, m),
        recall: share(&counts.generated_balls, n),
        density: counts.real_balls.sum(Kind::Double).double_value(&[]) / (k * m) as f64,
        coverage: share(&counts.in_real_ball, n),
    })
}

/// How many balls are around what.
struct Counts {
    /// Real balls around each generated sample.
    real_balls: Tensor,
    /// Generated balls around each real sample.
    generated_balls: Tensor,
    /// Generated samples in each real ball.
    in_real_ball: Tensor,
}

impl Counts {
    fn of(real: &Tensor, generated: &Tensor, k: i64) -> Self {
        let (real_radii, generated_radii) = (radii(real, k), radii(generated, k));
        let mut real_balls = Tensor::zeros([generated.size()[0]], (Kind::Int64, real.device()));
        let (mut generated_balls, mut in_real_ball) = (Vec::new(), Vec::new());
        let mut row = 0;
        for block in blocks(real, generated) {
            let rows = block.size()[0];
            let inside = block.less_tensor(&real_radii.narrow(0, row, rows).unsqueeze(1));
            real_balls += inside.sum_dim_intlist(0i64, false, Kind::Int64);
            in_real_ball.push(inside.sum_dim_intlist(1i64, false, Kind::Int64));
            let around = block.less_tensor(&generated_radii.unsqueeze(0));
            generated_balls.push(around.sum_dim_intlist(1i64, false, Kind::Int64));
            row += rows;
        }
        Self {
            real_balls,
            generated_balls: Tensor::cat(&generated_balls, 0),
            in_real_ball: Tensor::cat(&in_real_ball, 0),
        }
    }
}

/// Distance of each sample to its k-th nearest other sample.
fn radii(x: &Tensor, k: i64) -> Tensor {
    // The nearest of all is the sample itself.
    let radii: Vec<_> = blocks(x, x).map(|block| block.kthvalue(k + 1, 1, false).0).collect();
    Tensor::cat(&radii, 0)
}
