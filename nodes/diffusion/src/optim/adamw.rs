//! AdamW, held to `torch.optim.AdamW` by a fixture. (tch's optimisers cannot save their state.)

use super::clip::{clip_factor, gradient_norm};
use super::flat::Flat;
use crate::DiffusionError;
use std::collections::BTreeMap;
use tch::{Tensor, no_grad};

/// Constants of [`AdamW`]; the learning rate is given to each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay rates of the running means of the gradient and of its square.
    pub betas: (f64, f64),
    /// Added to the root of the squares' mean.
    pub eps: f64,
    /// Decoupled weight decay: parameters shrink by `lr · weight_decay` a step.
    pub weight_decay: f64,
}

impl Default for AdamWConfig {
    /// The defaults of `torch.optim.AdamW`.
    fn default() -> Self {
        Self { betas: (0.9, 0.999), eps: 1e-8, weight_decay: 0.01 }
    }
}

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019) over named tensors.
///
/// Parameters that have a gradient are moved into one buffer, with their gradients and running means in others, so that a
/// step is a dozen operations however many there are. Whoever holds a parameter keeps it; it is a view then.
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    slots: BTreeMap<String, Slot>,
    pub(super) blocks: Vec<Block>,
}

/// One parameter and its running means.
#[derive(Debug)]
struct Slot {
    parameter: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    /// Steps that this parameter took part in.
    step: i64,
    /// Whether it lies in a block.
    gathered: bool,
}

/// Parameters that took part in the same steps.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) names: Vec<String>,
    pub(super) parameters: Flat,
    gradients: Flat,
    exp_avg: Flat,
    exp_avg_sq: Flat,
    step: i64,
}

impl AdamW {
    /// An optimiser of leaf tensors that require gradients. The names are those of its saved state.
    pub fn new(parameters: impl IntoIterator<Item = (String, Tensor)>, config: AdamWConfig) -> Self {
        let slots = parameters.into_iter().map(|(name, parameter)| (name, Slot::new(parameter))).collect();
        Self { config, slots, blocks: Vec::new() }
    }

    /// The parameters, sorted by name.
    fn parameters(&self) -> Vec<Tensor> {
        self.slots.values().map(|slot| slot.parameter.shallow_clone()).collect()
    }

    /// Those that are in no block, with their names: what never had a gradient.
    pub(super) fn loose(&self) -> impl Iterator<Item = (&String, &Tensor)> {
        self.slots.iter().filter(|(_, slot)| !slot.gathered).map(|(name, slot)| (name, &slot.parameter))
    }

    /// Sets the gradients to zero. One that was there stays there as zero: the next step still moves its parameter by
    /// momentum and decay, as torch does with `set_to_none=False`.
    pub fn zero_grad(&mut self) {
        self.gather();
        for block in &mut self.blocks {
            let _ = block.gradients.whole.zero_();
        }
    }

    /// Scales all gradients in place so that their global norm is at most `max_norm`. Returns the norm before.
    ///
    /// With a non-finite norm the gradients are left as they are: the caller stops on it and can still say which they were.
    pub fn clip_gradients(&mut self, max_norm: f64) -> f64 {
        // Of each tensor first, as torch does: the sums are taken in its order.
        let norm = gradient_norm(&self.parameters());
        if let Some(factor) = clip_factor(norm, max_norm) {
            self.scale_gradients(factor);
        }
        norm
    }

    /// Multiplies all gradients in place.
    pub fn scale_gradients(&mut self, factor: f64) {
        self.gather();
        no_grad(|| self.blocks.iter_mut().for_each(|block| drop(block.gradients.whole.g_mul_scalar_(factor))));
    }

    /// Changes the parameters in place by their gradients. One that never had a gradient stays as it is.
    pub fn step(&mut self, lr: f64) {
        self.gather();
        no_grad(|| self.blocks.iter_mut().for_each(|block| block.update(lr, &self.config)));
        for block in &self.blocks {
            for name in &block.names {
                self.slots.get_mut(name).expect("a block is made of slots").step = block.step;
            }
        }
    }

    /// Moves parameters that got their first gradient into a block, and back what was put elsewhere.
    fn gather(&mut self) {
        for block in &self.blocks {
            for (i, name) in block.names.iter().enumerate() {
                let parameter = &self.slots[name].parameter;
                block.parameters.take_back(i, parameter);
                block.gradients.take_back(i, &parameter.grad());
            }
        }
        loop {
            let new = |slot: &Slot| !slot.gathered && slot.parameter.grad().defined();
            let Some(first) = self.slots.values().find(|slot| new(slot)) else { break };
            let (kind, step) = (first.parameter.kind(), first.step);
            let alike = |slot: &Slot| new(slot) && slot.step == step && slot.parameter.kind() == kind;
            let members = self.slots.iter_mut().filter(|(_, slot)| alike(slot)).collect();
            self.blocks.push(Block::new(members, step));
        }
    }

    /// The state as named tensors: `NAME.exp_avg`, `NAME.exp_avg_sq`, `NAME.step`. The means are the very tensors that the
    /// next step changes: a checkpoint takes no memory.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let mut state = BTreeMap::new();
        for (name, slot) in &self.slots {
            state.insert(format!("{name}.exp_avg"), slot.exp_avg.shallow_clone());
            state.insert(format!("{name}.exp_avg_sq"), slot.exp_avg_sq.shallow_clone());
            state.insert(format!("{name}.step"), Tensor::from(slot.step));
        }
        state
    }

    /// Takes over a state that [`AdamW::state`] gave for the same parameters.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a missing or left-over name or another shape; then nothing has been changed.
    pub fn load_state(&mut self, state: &BTreeMap<String, Tensor>) -> Result<(), DiffusionError> {
        let wrong = |message| DiffusionError::Config { what: "optimiser state".into(), message };
        for (name, tensor) in self.state() {
            let saved = state.get(&name).ok_or_else(|| wrong(format!("{name} is missing")))?;
            if saved.size() != tensor.size() {
                return Err(wrong(format!("{name} is {:?} instead of {:?}", saved.size(), tensor.size())));
            }
        }
        if state.len() != 3 * self.slots.len() {
            let expected = 3 * self.slots.len();
            return Err(wrong(format!("{} tensors where {expected} belong to the parameters", state.len())));
        }
        // Steps may differ now where they were alike: the next step makes new blocks.
        self.blocks.clear();
        for (name, slot) in &mut self.slots {
            slot.exp_avg.copy_(&state[&format!("{name}.exp_avg")]);
            slot.exp_avg_sq.copy_(&state[&format!("{name}.exp_avg_sq")]);
            slot.step = state[&format!("{name}.step")].int64_value(&[]);
            slot.gathered = false;
        }
        Ok(())
    }
}

impl Slot {
    fn new(parameter: Tensor) -> Self {
        let zeros = || parameter.detach().zeros_like();
        Self { exp_avg: zeros(), exp_avg_sq: zeros(), step: 0, gathered: false, parameter }
    }
}

impl Block {
    fn new(mut members: Vec<(&String, &mut Slot)>, step: i64) -> Self {
        let all = |of: fn(&Slot) -> Tensor| members.iter().map(|(_, slot)| of(slot)).collect::<Vec<_>>();
        let block = Self {
            parameters: Flat::taking(&all(|slot| slot.parameter.shallow_clone())),
            gradients: Flat::taking(&all(|slot| slot.parameter.grad())),
            exp_avg: Flat::copying(&all(|slot| slot.exp_avg.shallow_clone())),
            exp_avg_sq: Flat::copying(&all(|slot| slot.exp_avg_sq.shallow_clone())),
            names: members.iter().map(|(name, _)| (*name).clone()).collect(),
            step,
        };
        for (i, (_, slot)) in members.iter_mut().enumerate() {
            slot.exp_avg = block.exp_avg.views[i].shallow_clone();
            slot.exp_avg_sq = block.exp_avg_sq.views[i].shallow_clone();
            slot.gathered = true;
        }
        block
    }

    /// Algorithm 2 of the paper, with torch's order of operations.
    fn update(&mut self, lr: f64, config: &AdamWConfig) {
        let (beta1, beta2) = config.betas;
        self.step += 1;
        let correction = |beta: f64| 1.0 - beta.powf(self.step as f64);
        for (first, count) in self.parameters.chunks() {
            let part = |flat: &Flat| flat.whole.narrow(0, first, count);
            let [mut parameter, grad] = [part(&self.parameters), part(&self.gradients)];
            let [mut exp_avg, mut exp_avg_sq] = [part(&self.exp_avg), part(&self.exp_avg_sq)];
            let _ = parameter.g_mul_scalar_(1.0 - lr * config.weight_decay);
            let _ = exp_avg.lerp_(&grad, 1.0 - beta1);
            let _ = exp_avg_sq.g_mul_scalar_(beta2).g_add_(&(&grad * &grad * (1.0 - beta2)));
            let denominator = exp_avg_sq.sqrt() / correction(beta2).sqrt() + config.eps;
            let scaled = &exp_avg * (-lr / correction(beta1));
            let _ = parameter.g_add_(&(scaled / denominator));
        }
    }
}
