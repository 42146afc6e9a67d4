//! What watches a training on rewards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bounded::int;
use crate::{Count, Fraction, Int, NonNegative, Ref, types};

/// Watches a score that is not trained on, and diversity, on pictures that the student always draws from the same noise and
/// captions, at each of its `rollouts`: a reward that is hacked goes on rising while these fall.
///
/// The best look is the one with the highest held-out score among those with enough diversity; the student before feedback is the
/// first. Another look has fallen if it is missing less of the rewards than the best, and its held-out score or diversity is too low.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// The held-out score. In its picture features diversity is measured: as the mean distance of two pictures of one
    /// caption.
    pub watch: Ref<types::Score>,
    /// Steps from one look to the next; there is one before the first step and one after the last.
    #[serde(default = "int::count::<10>")]
    pub every: Count,
    /// Distinct captions to look at, or as many as there are.
    #[serde(default = "int::count::<16>")]
    pub captions: Count,
    /// Pictures of each caption.
    #[serde(default = "eight")]
    pub samples: Int<2, 1_000_000>,
    /// Diversity, over that of the student before feedback, below which a look is not taken for good.
    #[serde(default = "nine_tenths")]
    pub diversity: Fraction,
    /// How far the held-out score may fall below the best one: in standard deviations of the score over the pictures of the
    /// student before feedback.
    #[serde(default = "none")]
    pub tolerance: NonNegative,
    /// Fallen looks in a row after which the reward is taken for hacked.
    #[serde(default = "int::count::<2>")]
    pub patience: Count,
    /// Whether training then stops, and the weights of the best look are yielded, be it stopped or not. If false, it is only
    /// told, and the last weights are yielded.
    #[serde(default = "yes")]
    pub stop: bool,
}

fn eight() -> Int<2, 1_000_000> {
    Int::new(8).expect("in range")
}

fn nine_tenths() -> Fraction {
    Fraction::new(0.9).expect("in range")
}

fn none() -> NonNegative {
    NonNegative::new(0.0).expect("in range")
}

fn yes() -> bool {
    true
}
