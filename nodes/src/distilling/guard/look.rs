//! What a look at a training finds, and how looks are kept.

use tch::{Device, Kind, Tensor, no_grad};

/// What was seen after a step.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Look {
    pub(super) step: u64,
    /// Mean of the held-out score, over all pictures.
    pub(super) held_out: f64,
    /// Its standard deviation over the pictures.
    pub(super) deviation: f64,
    /// By how much the rewards are missed: the loss that is trained, without the anchor.
    pub(super) missed: f64,
    /// Mean of each reward.
    pub(super) rewards: Vec<f64>,
    /// Mean distance of two pictures of one caption, at each of the roll-outs.
    pub(super) diversity: Vec<f64>,
}

impl Look {
    /// In words.
    pub(super) fn words(&self, first: &Look) -> String {
        let Look { step, held_out, missed, .. } = self;
        let diversity = self.share_of(first);
        format!(
            "step {step}: held-out score {held_out:.4}, diversity {diversity:.3} of the student's, rewards missed by {missed:.4}"
        )
    }

    /// The least diversity over that of another look, of all roll-outs. Pictures that were all alike cannot become more so.
    pub(super) fn share_of(&self, other: &Look) -> f64 {
        let share = |(own, other): (&f64, &f64)| if *other > 0.0 { own / other } else { 1.0 };
        self.diversity.iter().zip(&other.diversity).map(share).fold(f64::INFINITY, f64::min)
    }

    fn row(&self) -> Vec<f32> {
        let numbers = [self.step as f64, self.held_out, self.deviation, self.missed];
        numbers.iter().chain(&self.rewards).chain(&self.diversity).map(|&number| number as f32).collect()
    }

    fn of_row(row: &[f32], rewards: usize) -> Self {
        let row: Vec<f64> = row.iter().map(|&number| f64::from(number)).collect();
        let (rewards, diversity) = row[4..].split_at(rewards);
        Self {
            step: row[0] as u64,
            held_out: row[1],
            deviation: row[2],
            missed: row[3],
            rewards: rewards.to_vec(),
            diversity: diversity.to_vec(),
        }
    }
}

/// All looks of a training, as a tensor of one shape that a checkpoint can hold: a row a look, and −1 for the steps of those
/// that are still to come. In float32: what is decided by is what a resumed training reads.
#[derive(Debug)]
pub(super) struct Looks {
    pub(super) rows: Tensor,
    rewards: usize,
}

impl Looks {
    /// None yet, of at most `count`.
    pub(super) fn new(count: u64, rewards: usize, rollouts: usize) -> Self {
        let width = 4 + rewards + rollouts;
        Self { rows: Tensor::full([count as i64, width as i64], -1.0, (Kind::Float, Device::Cpu)), rewards }
    }

    /// Those that were, in their order.
    pub(super) fn all(&self) -> Vec<Look> {
        let rows = Vec::<Vec<f32>>::try_from(&self.rows).expect("a table of float32");
        rows.iter().filter(|row| row[0] >= 0.0).map(|row| Look::of_row(row, self.rewards)).collect()
    }

    /// Adds one.
    pub(super) fn push(&self, look: &Look) {
        let place = self.all().len() as i64;
        no_grad(|| self.rows.get(place).copy_(&Tensor::from_slice(&look.row())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_kept_as_float32() {
        let looks = Looks::new(3, 2, 1);
        assert!(looks.all().is_empty());
        let look = |step| Look {
            step,
            held_out: 0.5,
            deviation: 0.25,
            missed: 0.0,
            rewards: vec![-1.0, 2.0],
            diversity: vec![3.0],
        };
        looks.push(&look(0));
        looks.push(&Look { held_out: 0.1, ..look(10) });
        assert_eq!(looks.all(), [look(0), Look { held_out: f64::from(0.1f32), ..look(10) }]);
    }
}
