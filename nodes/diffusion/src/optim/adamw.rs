//! AdamW, held to `torch.optim.AdamW` by a fixture. (tch's optimisers cannot save their state.)

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
#[derive(Debug)]
pub struct AdamW {
    config: AdamWConfig,
    slots: BTreeMap<String, Slot>,
}

/// One parameter and its running means.
#[derive(Debug)]
struct Slot {
    parameter: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    /// Steps that this parameter took part in.
    step: i64,
}

impl AdamW {
    /// An optimiser of leaf tensors that require gradients. The names are those of its saved state.
    pub fn new(parameters: impl IntoIterator<Item = (String, Tensor)>, config: AdamWConfig) -> Self {
        let slots = parameters.into_iter().map(|(name, parameter)| (name, Slot::new(parameter))).collect();
        Self { config, slots }
    }

    /// The parameters, sorted by name.
    pub fn parameters(&self) -> Vec<Tensor> {
        self.slots.values().map(|slot| slot.parameter.shallow_clone()).collect()
    }

    /// Sets the gradients to zero. One that was there stays there as zero: the next step still moves its parameter by
    /// momentum and decay, as torch does with `set_to_none=False`.
    pub fn zero_grad(&mut self) {
        for slot in self.slots.values_mut() {
            slot.parameter.zero_grad();
        }
    }

    /// Changes the parameters in place by their gradients. One that never had a gradient stays as it is.
    pub fn step(&mut self, lr: f64) {
        no_grad(|| {
            for slot in self.slots.values_mut() {
                slot.update(lr, &self.config);
            }
        });
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
        for (name, slot) in &mut self.slots {
            slot.exp_avg.copy_(&state[&format!("{name}.exp_avg")]);
            slot.exp_avg_sq.copy_(&state[&format!("{name}.exp_avg_sq")]);
            slot.step = state[&format!("{name}.step")].int64_value(&[]);
        }
        Ok(())
    }
}

impl Slot {
    fn new(parameter: Tensor) -> Self {
        let zeros = || parameter.detach().zeros_like();
        Self { exp_avg: zeros(), exp_avg_sq: zeros(), step: 0, parameter }
    }

    /// Algorithm 2 of the paper, with torch's order of operations.
    fn update(&mut self, lr: f64, config: &AdamWConfig) {
        let grad = self.parameter.grad();
        if !grad.defined() {
            return;
        }
        let (beta1, beta2) = config.betas;
        self.step += 1;
        let _ = self.parameter.g_mul_scalar_(1.0 - lr * config.weight_decay);
        let _ = self.exp_avg.lerp_(&grad, 1.0 - beta1);
        let _ = self.exp_avg_sq.g_mul_scalar_(beta2).g_add_(&(&grad * &grad * (1.0 - beta2)));
        let correction = |beta: f64| 1.0 - beta.powf(self.step as f64);
        let denominator = self.exp_avg_sq.sqrt() / correction(beta2).sqrt() + config.eps;
        let scaled = &self.exp_avg * (-lr / correction(beta1));
        let _ = self.parameter.g_add_(&(scaled / denominator));
    }
}
