//! The loop: batches, accumulation, clipping, learning rate, average, checkpoints, samples, cancelling.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hyper_flow_diffusion::optim::{AdamW, AdamWConfig, Average, Decay, LrSchedule};
use hyper_flow_diffusion::{DiffusionError, Tape};
use hyper_flow_spec::kinds::{LrDecay, Precision, Training};
use hyper_flow_spec::{Event, Level};
use tch::{Device, Kind, Tensor, no_grad};

use super::checkpoint::{self, Begin, Checkpoint, Generations};
use super::draw::Orders;
use super::numbers::{Gauge, Means, Numbers, norms};
use super::{Draw, Group, Losses, Recipe};
use crate::picture::{Canvas, to_bytes, write_png};
use crate::worker::Context;
use crate::{NodeError, files};

/// Trains `groups` by `recipe`, keeping `averages` (of the last group, in the order of its parameters) up to date.
///
/// Groups are updated in their order in each step; the last one's moving average is what the node yields. Goes on from
/// the job's checkpoint if it has one.
pub(crate) fn train(
    context: &Context,
    training: &Training,
    groups: Vec<Group>,
    averages: Vec<(String, Tensor)>,
    recipe: &impl Recipe,
) -> Result<(), NodeError> {
    Trainer::new(context, training, groups, averages, recipe).run()
}

/// The values of losses. They are read together, because the host waits each time for all that a GPU has still to do.
fn values(losses: &Losses) -> Result<Vec<f64>, NodeError> {
    let values: Vec<Tensor> = losses.iter().map(|(_, loss)| loss.detach().to_kind(Kind::Double)).collect();
    Ok(Vec::try_from(Tensor::stack(&values, 0).to_device(Device::Cpu))?)
}

struct Trainer<'a, R> {
    context: &'a Context,
    training: &'a Training,
    recipe: &'a R,
    groups: Vec<(Group, AdamW)>,
    averages: Vec<(String, Tensor)>,
    /// The same by the names of their parameters.
    average: Average,
    schedule: LrSchedule,
    checkpoints: Generations,
    orders: Orders,
    /// The last step that is in a checkpoint; 0 is none.
    kept: u64,
    /// Whether it was told that steps after that one could not be kept.
    told: bool,
    /// Whether the step that is being computed has changed something yet.
    changed: bool,
    /// When it was first seen that the training is to stop.
    asked: Option<Instant>,
    /// How long the last checkpoint took.
    cost: Duration,
    gauge: Gauge,
}

/// How long a step goes on after it was asked to stop, in the hope that it ends: whoever asks has patience for seconds.
const PATIENCE: Duration = Duration::from_secs(1);

/// A checkpoint takes at most this share of the time, if it takes long enough to be felt.
const SHARE: u32 = 20;
const FELT: Duration = Duration::from_millis(100);

/// Gradients are multiplied by it where they pass through float16, whose smallest number is 6e-8: those of a mean over a
/// batch of latents are not much larger. Where one then overflows, the update is computed again with less; nothing is
/// carried over to the next, so that a resumed training stays the same.
const FP16_LOSS_SCALE: f64 = 4096.0;

impl<'a, R: Recipe> Trainer<'a, R> {
    fn new(
        context: &'a Context,
        training: &'a Training,
        groups: Vec<Group>,
        averages: Vec<(String, Tensor)>,
        recipe: &'a R,
    ) -> Self {
        let weight_decay = training.weight_decay.get();
        let optimised = |group: Group| {
            let config = AdamWConfig { betas: group.betas, weight_decay, ..AdamWConfig::default() };
            let named = group.parameters.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
            let optimiser = AdamW::new(named, config);
            (group, optimiser)
        };
        let decay = match training.lr_decay {
            LrDecay::Constant => Decay::Constant,
            LrDecay::Linear => Decay::Linear,
            LrDecay::Cosine => Decay::Cosine,
        };
        let schedule =
            LrSchedule { warmup: training.lr_warmup.get() as u64, steps: training.steps.get() as u64, decay };
        let yielded = groups.last().map_or(&[][..], |group| &group.parameters);
        let average =
            yielded.iter().zip(&averages).map(|((name, _), (_, average))| (name.clone(), average.shallow_clone()));
        let average = Average::new(average);
        let groups = groups.into_iter().map(optimised).collect();
        let checkpoints = Generations::new(&context.job.scratch, context.identities(), schedule.steps);
        Self {
            context,
            training,
            recipe,
            groups,
            averages,
            average,
            schedule,
            checkpoints,
            orders: Orders::default(),
            kept: 0,
            told: false,
            changed: false,
            asked: None,
            cost: Duration::ZERO,
            gauge: Gauge::new(),
        }
    }

    fn run(mut self) -> Result<(), NodeError> {
        let steps = self.schedule.steps;
        self.kept = self.resume()?;
        if self.kept == 0 {
            no_grad(|| self.recipe.watch(0))?;
        }
        let mut saved = Instant::now();
        self.gauge.start();
        for step in self.kept + 1..=steps {
            if self.recipe.is_done() {
                break;
            }
            let numbers = self.step(step)?;
            self.tell(step, numbers);
            no_grad(|| self.recipe.watch(step))?;
            if step.checked_rem(self.context.job.sample_every) == Some(0) {
                self.sample(step)?;
            }
            if self.context.cancel.requested() {
                self.save(step)?;
                return Err(NodeError::Interrupted { step: self.kept });
            }
            let due = saved.elapsed() >= self.between_checkpoints();
            // The last one too: should writing the artifact fail, nothing is trained twice.
            if due || step == steps || self.recipe.is_done() {
                self.save(step)?;
                saved = Instant::now();
            }
        }
        Ok(())
    }

    /// How long to compute before the next checkpoint.
    fn between_checkpoints(&self) -> Duration {
        let least = if self.cost < FELT { Duration::ZERO } else { self.cost * SHARE };
        self.context.between_checkpoints().max(least)
    }

    /// Gives up a step that takes long when the training is to stop; between its parts, for one step of a large model may
    /// take minutes. What was computed before it is kept, unless something of it has changed already.
    fn give_up_if_asked(&mut self, step: u64) -> Result<(), NodeError> {
        if !self.context.cancel.requested() || self.asked.get_or_insert_with(Instant::now).elapsed() < PATIENCE {
            return Ok(());
        }
        if !self.changed && self.kept + 1 < step {
            self.save(step - 1)?;
        }
        Err(NodeError::Interrupted { step: self.kept })
    }

    /// One step: each group's updates, then the average.
    fn step(&mut self, step: u64) -> Result<Numbers, NodeError> {
        self.changed = false;
        let mut all = Numbers::default();
        for index in 0..self.groups.len() {
            for update in self.groups[index].0.updates_of(step) {
                all.extend(self.update(step, index, update)?);
            }
        }
        let decay = self.training.ema.get().min((1.0 + step as f64) / (10.0 + step as f64));
        let decay = if self.training.ema.get() == 0.0 { 0.0 } else { decay };
        if let Some((_, optimiser)) = self.groups.last() {
            self.average.follow(optimiser, decay);
        }
        Ok(all)
    }

    fn tell(&mut self, step: u64, numbers: Numbers) {
        let samples = self.training.batch.get() * self.training.accumulate.get();
        let event = self.gauge.step(step, self.schedule.steps, numbers, samples);
        self.context.reporter.event(&event);
        self.gauge.ask_gpu(self.context);
    }

    /// One update of one group: gradients of all parts of its batch, clipped, then a step of its optimiser.
    fn update(&mut self, step: u64, index: usize, update: u64) -> Result<Numbers, NodeError> {
        let mut scale = if self.recipe.precision() == Precision::Fp16 { FP16_LOSS_SCALE } else { 1.0 };
        loop {
            let losses = self.gradients(step, index, update, scale)?;
            let (group, optimiser) = &mut self.groups[index];
            if scale > 1.0 {
                optimiser.scale_gradients(1.0 / scale);
            }
            let norm = optimiser.clip_gradients(self.training.grad_clip.get());
            if norm.is_finite() {
                let factor = if group.decays { self.schedule.factor(step - 1) } else { 1.0 };
                let lr = group.lr * factor;
                optimiser.step(lr);
                self.changed = true;
                return Ok(Numbers::of(losses, group.name, lr, norm));
            }
            if scale <= 1.0 {
                let term = format!("the gradient of `{}`", group.name);
                return Err(NodeError::NonFinite { step, term, value: norm, checkpoint: self.kept });
            }
            scale /= 16.0;
        }
    }

    /// Gathers the gradients of all parts of a batch, `scale` times, and gives the losses.
    fn gradients(&mut self, step: u64, index: usize, update: u64, scale: f64) -> Result<Means, NodeError> {
        let parts = self.training.accumulate.get();
        let prefixed = self.groups.len() > 1;
        self.groups[index].1.zero_grad();
        let mut means = Means::new();
        for part in 0..parts {
            if part > 0 {
                self.give_up_if_asked(step)?;
            }
            let group = &self.groups[index].0;
            let draw = Draw {
                seed: self.context.seed(),
                kind: self.recipe.name(),
                group: group.name,
                update,
                part,
                parts,
                batch: self.training.batch.get(),
                device: self.context.device,
                orders: &self.orders,
            };
            let tape = if self.recipe.checkpointing() { Tape::new() } else { Tape::off() };
            let losses = self.recipe.losses(group.name, &draw, &tape)?;
            for ((name, _), value) in losses.iter().zip(values(&losses)?) {
                let name = if prefixed { format!("{}.{name}", group.name) } else { name.to_string() };
                if !value.is_finite() {
                    let term = format!("the loss term `{name}`");
                    return Err(NodeError::NonFinite { step, term, value, checkpoint: self.kept });
                }
                *means.entry(name).or_default() += value / parts as f64;
            }
            let total: Tensor = losses.into_iter().map(|(_, loss)| loss).sum();
            tape.backward(total * scale / parts as f64)?;
        }
        Ok(means)
    }

    /// Draws what is being trained, into the run's log.
    fn sample(&self, step: u64) -> Result<(), NodeError> {
        let Some(gallery) = no_grad(|| self.recipe.sample())? else { return Ok(()) };
        let rows: Vec<_> = gallery.into_iter().map(|(caption, pictures)| (caption, to_bytes(&pictures))).collect();
        let path = PathBuf::from(format!("step-{step:06}.png"));
        let file = self.context.job.log.join(&path);
        match files::make_parent(&file).and_then(|()| write_png(&file, &Canvas::rows(&rows))) {
            Ok(()) => self.context.reporter.event(&Event::Sample { step, path }),
            // It is for whoever watches: a full disk there is no reason to give up what was trained.
            Err(error) => self.warn(format!("the sample after step {step} is missing ({error})")),
        }
        Ok(())
    }

    fn warn(&self, text: String) {
        self.context.reporter.message(Level::Warning, text);
    }

    /// All that the next step depends on.
    fn state(&self) -> BTreeMap<String, Tensor> {
        let mut tensors = BTreeMap::new();
        for (group, optimiser) in &self.groups {
            for (name, tensor) in &group.parameters {
                tensors.insert(format!("{}/parameter/{name}", group.name), tensor.detach());
            }
            for (name, tensor) in optimiser.state() {
                tensors.insert(format!("{}/optimiser/{name}", group.name), tensor);
            }
        }
        tensors.extend(self.averages.iter().map(|(name, tensor)| (format!("average/{name}"), tensor.detach())));
        tensors.extend(self.recipe.memory().into_iter().map(|(name, tensor)| (format!("memory/{name}"), tensor)));
        tensors
    }

    fn save(&mut self, step: u64) -> Result<(), NodeError> {
        let tensors = self.state();
        // Finite losses and gradients may still lead to weights that overflow: those must not replace the good ones.
        if let Some((name, tensor)) = tensors.iter().find(|(_, tensor)| !checkpoint::is_finite(tensor)) {
            let (term, value) = (format!("the weight `{name}`"), tensor.abs().max().double_value(&[]));
            return Err(NodeError::NonFinite { step, term, value, checkpoint: self.kept });
        }
        let began = Instant::now();
        let written = self.checkpoints.write(step, tensors);
        self.cost = began.elapsed();
        match written {
            Ok(()) => {
                (self.kept, self.told) = (step, false);
                self.context.reporter.event(&Event::Checkpoint { step });
                self.tell_norms(step);
            }
            Err(error @ DiffusionError::Io { .. }) => self.tell_unkept(step, &error),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// How far the adapters that the node yields have gone from the base.
    fn tell_norms(&mut self, step: u64) {
        let lora = self.groups.last().and_then(|(group, _)| group.lora.as_ref());
        if let Some(lora) = lora.filter(|_| self.gauge.is_due(step, self.schedule.steps)) {
            self.context.reporter.event(&norms(step, lora));
        }
    }

    /// A disk that refuses, as a full one, takes nothing from the training but the way back: told once, until it is well.
    fn tell_unkept(&mut self, step: u64, error: &DiffusionError) {
        if !std::mem::replace(&mut self.told, true) {
            let last = if self.kept == 0 {
                "there is none before".into()
            } else {
                format!("that after step {} stays", self.kept)
            };
            self.warn(format!(
                "the checkpoint after step {step} is not kept ({error}); {last}, and the training goes on"
            ));
        }
    }

    /// The step to go on from: the checkpoint's, or 0. What is wrong with one is told: it costs time, but nothing else.
    fn resume(&mut self) -> Result<u64, NodeError> {
        let Begin { checkpoint, is_old, damaged } = self.checkpoints.begin(&self.state())?;
        let step = checkpoint.as_ref().map_or(0, |found| found.step);
        if !damaged.is_empty() {
            let on = if step == 0 { "starts anew".into() } else { format!("goes on after step {step}") };
            let damaged = damaged.join("; ");
            self.warn(format!(
                "what is kept of the training is damaged ({damaged}); it is set aside, and the training {on}"
            ));
        }
        if is_old {
            let text = format!(
                "the checkpoint after step {step} is of a version that kept no digest: it fits, and is trusted"
            );
            self.warn(text);
        }
        if let Some(found) = checkpoint {
            self.restore(found)?;
            self.context.reporter.event(&Event::Resumed { step });
        }
        Ok(step)
    }

    fn restore(&mut self, mut found: Checkpoint) -> Result<(), DiffusionError> {
        for (group, optimiser) in &mut self.groups {
            checkpoint::restore(&group.parameters, &found.take(&format!("{}/parameter/", group.name)))?;
            optimiser.load_state(&found.take(&format!("{}/optimiser/", group.name)))?;
        }
        checkpoint::restore(&self.averages, &found.take("average/"))?;
        checkpoint::restore(&self.recipe.memory(), &found.take("memory/"))
    }
}
