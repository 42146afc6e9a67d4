//! The visual-perception term of `RewardFinetune`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kinds::Problem;
use crate::{Int, NonNegative, Ref, Steps, types};

/// Visual perception (Hyper-SD, §3.2): a real picture is noised to a timestep of the student's few steps, and a frozen network
/// must find the object in what the student makes of it in one step where the picture's mask has it. Keeps shapes whole
/// while the rewards pull.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Perception {
    /// The network, of which the paper takes SOLO. `data` must have masks.
    pub model: Ref<types::Segmenter>,
    /// Weight of the loss of its masks, binary cross-entropy plus Dice. The paper gives none.
    #[serde(default = "one")]
    pub weight: NonNegative,
    /// Timesteps above it are left out: close to 1000 next to nothing is left of the picture, and its mask is anyone's guess.
    /// The paper does not say; of the steps of 1, 2, 4 and 8 step roll-outs the default leaves 749, 624, 499, 374, 249 and
    /// 124.
    #[serde(default = "max_timestep")]
    pub max_timestep: Int<0, 999>,
}

impl Perception {
    /// That a step of the roll-outs is left.
    pub(super) fn problem(&self, rollouts: &[Steps]) -> Option<Problem> {
        let last = |steps: &Steps| (1000.0 / steps.get() as f64).round_ties_even() as i64 - 1;
        let lowest = rollouts.iter().map(last).min()?;
        (lowest > self.max_timestep.get()).then(|| Problem {
            field: "perception",
            message: format!("no step of the roll-outs is at a timestep up to {}", self.max_timestep.get()),
            help: format!("raise `max_timestep` to {lowest} at least, or name longer `rollouts`"),
        })
    }
}

fn one() -> NonNegative {
    NonNegative::new(1.0).expect("in range")
}

fn max_timestep() -> Int<0, 999> {
    Int::new(749).expect("in range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_roll_outs_must_be_left() {
        let perception: Perception = ron::from_str("(model: \"m\", max_timestep: 332)").unwrap();
        let problem = |rollouts: &[i64]| {
            let rollouts: Vec<_> = rollouts.iter().map(|&steps| Steps::new(steps).unwrap()).collect();
            perception.problem(&rollouts).map(|problem| problem.help)
        };
        assert_eq!(problem(&[1, 2, 3]), None);
        let help = "raise `max_timestep` to 499 at least, or name longer `rollouts`";
        assert_eq!(problem(&[1, 2]).as_deref(), Some(help));
        assert_eq!(problem(&[]), None, "which is another problem");
    }
}
