//! Looking: the same noise and captions again and again.

use hyper_flow_diffusion::lora::{Adapters, Lora};
use hyper_flow_diffusion::losses::Denoiser;
use hyper_flow_diffusion::metrics::diversity;
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::{Conditions, send};
use hyper_flow_spec::kinds::{self, Precision};
use hyper_flow_spec::{Level, Steps};
use tch::{Kind, Tensor};

use super::look::{Look, Looks};
use super::verdict::{Limits, Verdict};
use crate::NodeError;
use crate::artifacts::decoder::Decoder;
use crate::artifacts::scorer::Scorer;
use crate::distilling::feedback::Judges;
use crate::distilling::paint::{self, Few};
use crate::distilling::student::{self, Student};
use crate::training::Conditioned;
use crate::training::Losses;
use crate::worker::Context;

/// What is watched: a delta in training on top of a frozen student.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) denoiser: Denoiser<'a>,
    pub(crate) decoder: &'a Decoder,
    pub(crate) data: &'a Conditioned,
    /// What is trained on.
    pub(crate) judges: &'a Judges,
    pub(crate) frozen: &'a Lora,
    pub(crate) delta: &'a Student,
    /// The student's step counts.
    pub(crate) rollouts: &'a [Steps],
    /// Steps of the training.
    pub(crate) steps: u64,
}

/// Watches the average of a delta, which is what a node yields.
pub(crate) struct Guard<'a> {
    pub(super) context: &'a Context,
    pub(super) params: &'a kinds::Guard,
    pub(super) subject: Subject<'a>,
    scorer: Scorer,
    noise: Tensor,
    conditions: Conditions,
    /// The position of each picture's caption.
    captions: Vec<i64>,
    pub(super) looks: Looks,
    /// The delta of the best look.
    pub(super) best: Lora,
}

impl<'a> Guard<'a> {
    /// Loads the held-out score, and draws the noise and captions to look at.
    pub(crate) fn new(
        context: &'a Context,
        params: &'a kinds::Guard,
        subject: Subject<'a>,
        channels: i64,
        precision: Precision,
    ) -> Result<Self, NodeError> {
        let (data, folder) = (subject.data, context.input(&params.watch)?);
        let scorer = Scorer::load(folder, &data.captions, channels, paint::kind(precision), context.device)?;
        let order = Rng::at(context.seed(), "guard/captions", 0).permutation(data.captions.len() as i64);
        let chosen = order.into_iter().take(params.captions.index());
        let captions: Vec<i64> = chosen.flat_map(|caption| vec![caption; params.samples.index()]).collect();
        let [c, h, w] = data.sample_shape();
        let shape = [captions.len() as i64, c, h, w];
        let looks = subject.steps / params.every.get() as u64 + 2;
        Ok(Self {
            context,
            params,
            subject,
            scorer,
            noise: Rng::at(context.seed(), "guard/noise", 0).randn(&shape, (Kind::Float, context.device)),
            conditions: data.conditions(&captions)?,
            captions,
            looks: Looks::new(looks, subject.judges.len(), subject.rollouts.len()),
            best: subject.delta.average.deep_copy(),
        })
    }

    /// Looks if it is time, and keeps the weights if they are the best so far.
    pub(crate) fn watch(&self, step: u64) -> Result<(), NodeError> {
        if !step.is_multiple_of(self.params.every.get() as u64) && step != self.subject.steps {
            return Ok(());
        }
        let warned = step > 0 && self.verdict().hacked;
        self.looks.push(&self.look(step)?);
        let (looks, verdict) = (self.looks.all(), self.verdict());
        if verdict.best + 1 == looks.len() {
            student::copy(&self.subject.delta.average, &self.best);
        }
        let last = &looks[looks.len() - 1];
        self.context.reporter.message(Level::Info, last.words(&looks[0]));
        if verdict.hacked && !warned {
            self.context.reporter.message(Level::Warning, self.says());
        }
        Ok(())
    }

    /// What is in a checkpoint.
    pub(crate) fn memory(&self) -> Vec<(String, Tensor)> {
        let looks = ("looks".to_owned(), self.looks.rows.shallow_clone());
        let best = student::named(&self.best).into_iter().map(|(name, tensor)| (format!("best/{name}"), tensor));
        std::iter::once(looks).chain(best).collect()
    }

    /// Whether the training is to end.
    pub(crate) fn stops(&self) -> bool {
        self.params.stop && self.verdict().hacked
    }

    pub(super) fn verdict(&self) -> Verdict {
        Verdict::of(&self.looks.all(), Limits::of(self.params))
    }

    /// The decision, in words.
    pub(super) fn says(&self) -> String {
        let (looks, verdict) = (self.looks.all(), self.verdict());
        let (first, best, last) = (&looks[0], &looks[verdict.best], &looks[looks.len() - 1]);
        let kept = match self.params.stop {
            true => format!("the weights of step {} are yielded", best.step),
            false => "the guard only watches (`stop: false`), and the last weights are yielded".to_owned(),
        };
        if !verdict.hacked {
            return format!(
                "the held-out score went from {:.4} to {:.4} at step {}, the best of {} looks, with diversity {:.3} of \
                 the student's; {kept}",
                first.held_out,
                best.held_out,
                best.step,
                looks.len(),
                best.share_of(first)
            );
        }
        let stopped = if self.stops() { format!("stopped after step {}; ", last.step) } else { String::new() };
        format!(
            "the reward is hacked: from step {} to {} it was missed by {:.4}, then by {:.4}, while the held-out score went \
             from {:.4} to {:.4} and diversity from {:.3} to {:.3} of the student's; {stopped}{kept}",
            best.step,
            last.step,
            best.missed,
            last.missed,
            best.held_out,
            last.held_out,
            best.share_of(first),
            last.share_of(first)
        )
    }

    fn look(&self, step: u64) -> Result<Look, NodeError> {
        let adapters = Adapters::one(self.subject.frozen).with(&self.subject.delta.average, 1.0);
        let (mut seen, mut spread) = (Seen::default(), Vec::new());
        for steps in self.subject.rollouts {
            let features = self.draw(steps.index(), &adapters, &mut seen)?;
            spread.push(self.diversity(&features));
        }
        let held_out = Tensor::cat(&seen.held_out, 0).to_kind(Kind::Double);
        let rewards: Vec<Tensor> = seen.rewards.iter().map(|parts| Tensor::cat(parts, 0)).collect();
        let mean = |values: &Tensor| values.mean(Kind::Double).double_value(&[]);
        let missed: Losses = self.subject.judges.missed(&rewards);
        Ok(Look {
            step,
            held_out: mean(&held_out),
            deviation: held_out.std(true).double_value(&[]),
            missed: missed.iter().map(|(_, loss)| loss.double_value(&[])).sum(),
            rewards: rewards.iter().map(mean).collect(),
            diversity: spread,
        })
    }

    /// The mean distance of two pictures of one caption: those of a caption lie side by side.
    fn diversity(&self, features: &Tensor) -> f64 {
        let groups = features.split(self.params.samples.get(), 0);
        groups.iter().map(diversity).sum::<f64>() / groups.len() as f64
    }

    /// Draws all pictures in so many steps; gives what the held-out score sees of them, without keeping them.
    fn draw(&self, steps: usize, adapters: &Adapters<'_>, seen: &mut Seen) -> Result<Tensor, NodeError> {
        let few = Few { denoiser: self.subject.denoiser, steps };
        let mut features = Vec::new();
        for rows in paint::chunks(&self.noise) {
            let noise = self.noise.narrow(0, rows[0], rows.len() as i64);
            let drawn = few.draw(&noise, &self.conditions.select(&rows), adapters)?;
            let pictures = self.subject.decoder.pictures(&drawn);
            paint::check_finite(&pictures, "the student", steps as i64)?;
            let captions: Vec<i64> = rows.iter().map(|&row| self.captions[row as usize]).collect();
            let captions = send(&Tensor::from_slice(&captions), self.context.device);
            // Rewards see what they are trained on; the held-out score sees what a file would hold.
            seen.add(self.subject.judges.rewards(&pictures, &captions));
            let pictures = pictures.clamp(-1.0, 1.0);
            seen.held_out.push(self.scorer.score(&pictures, &captions));
            features.push(self.scorer.features(&pictures));
        }
        Ok(Tensor::cat(&features, 0))
    }
}

/// What the pictures of a look have scored so far.
#[derive(Default)]
struct Seen {
    held_out: Vec<Tensor>,
    /// For each reward.
    rewards: Vec<Vec<Tensor>>,
}

impl Seen {
    fn add(&mut self, rewards: Vec<Tensor>) {
        self.rewards.resize_with(rewards.len(), Vec::new);
        self.rewards.iter_mut().zip(rewards).for_each(|(all, some)| all.push(some));
    }
}
