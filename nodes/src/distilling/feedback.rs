//! Human feedback: what is rewarded, and how much each reward is missed by.

use hyper_flow_diffusion::losses::reward_loss;
use hyper_flow_diffusion::scores::Brightness;
use hyper_flow_spec::kinds::{Precision, Reward};
use tch::Tensor;

use crate::NodeError;
use crate::artifacts::scorer::Scorer;
use crate::distilling::paint;
use crate::training::Losses;
use crate::worker::Context;

/// The rewards of a training, ready to judge pictures of its captions.
#[derive(Debug)]
pub(crate) struct Judges(Vec<Judge>);

#[derive(Debug)]
struct Judge {
    scorer: Scorer,
    weight: f64,
    threshold: f64,
}

impl Judges {
    /// Reads the rewards' networks, for pictures of so many channels and these captions.
    pub(crate) fn load(
        context: &Context,
        rewards: &[Reward],
        captions: &[String],
        channels: i64,
        precision: Precision,
    ) -> Result<Self, NodeError> {
        let load = |folder| Scorer::load(folder, captions, channels, paint::kind(precision), context.device);
        let judge = |reward: &Reward| {
            let scorer = match reward {
                Reward::Clip { model, .. } => load(context.input(model)?)?,
                Reward::Score { model, .. } => load(context.input(model)?)?,
                Reward::Classifier { model, .. } => load(context.input(model)?)?,
                Reward::Brightness { .. } => Scorer::new(Box::new(Brightness { channels }), captions, channels)?,
            };
            Ok(Judge { scorer, weight: reward.weight().get(), threshold: reward.threshold() })
        };
        rewards.iter().map(judge).collect::<Result<_, NodeError>>().map(Self)
    }

    /// How many rewards there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Each reward's values (b), in their order: of pictures (b, c, h, w) in [−1, 1] and the positions of their captions
    /// (b). With gradient.
    pub(crate) fn rewards(&self, pictures: &Tensor, captions: &Tensor) -> Vec<Tensor> {
        self.0.iter().map(|judge| judge.scorer.score(pictures, captions)).collect()
    }

    /// By how much they are missed, w·E[ReLU(α − r)] of each (Hyper-SD, §3.2), as `reward.<position>`.
    pub(crate) fn missed(&self, rewards: &[Tensor]) -> Losses {
        let loss = |(i, (judge, rewards)): (usize, (&Judge, &Tensor))| {
            (format!("reward.{i}").into(), reward_loss(rewards, judge.threshold) * judge.weight)
        };
        self.0.iter().zip(rewards).enumerate().map(loss).collect()
    }

    /// The loss terms of pictures, as [`rewards`](Self::rewards) and [`missed`](Self::missed) say: of those at the positions
    /// `told`, where only some were told the captions that they are judged by.
    pub(crate) fn losses(&self, pictures: &Tensor, captions: &Tensor, told: Option<&Tensor>) -> Losses {
        match told {
            None => self.missed(&self.rewards(pictures, captions)),
            Some(told) if told.numel() == 0 => Losses::new(),
            Some(told) => {
                let [pictures, captions] = [pictures, captions].map(|of| of.index_select(0, told));
                self.missed(&self.rewards(&pictures, &captions))
            }
        }
    }
}
