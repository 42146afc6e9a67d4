//! The adapters of a whole model.

use super::{LoraLayer, LoraTarget};
use crate::error::{DiffusionError, few};
use crate::layers::fan_in_uniform;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Kind, Tensor, no_grad};

/// A LoRA: one [`LoraLayer`] for each adapted module, by the module's path.
#[derive(Debug, Default)]
pub struct Lora {
    /// The adapters by module path.
    pub layers: BTreeMap<String, LoraLayer>,
}

/// A module whose smaller side is below the rank that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clipped {
    /// The module.
    pub path: String,
    /// The rank that it got.
    pub rank: i64,
}

impl Lora {
    /// A trainable fp32 LoRA on the CPU that adds nothing yet: down is Kaiming-uniform (a = √5), up is zero, as in peft.
    ///
    /// A rank above a module's smaller side is clipped for that module, which is returned; its alpha shrinks with it,
    /// so that the scale alpha/rank is the same everywhere. Down is a function of (seed, path) alone.
    pub fn new(targets: &[LoraTarget], rank: i64, alpha: f64, seed: u64) -> (Self, Vec<Clipped>) {
        let mut clipped = Vec::new();
        let mut layers = BTreeMap::new();
        for target in targets {
            let own = rank.min(target.max_rank());
            if own < rank {
                clipped.push(Clipped { path: target.path.clone(), rank: own });
            }
            layers.insert(target.path.clone(), fresh(target, own, alpha * own as f64 / rank as f64, seed));
        }
        (Self { layers }, clipped)
    }

    /// The largest rank of any module.
    pub fn rank(&self) -> i64 {
        self.layers.values().map(LoraLayer::rank).max().unwrap_or(0)
    }

    /// All tensors, in the order of the names, down before up: what an optimiser trains.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.layers.values().flat_map(|l| [l.down.shallow_clone(), l.up.shallow_clone()]).collect()
    }

    /// Makes the tensors trainable or frozen.
    #[must_use]
    pub fn requires_grad(self, trainable: bool) -> Self {
        for tensor in self.tensors() {
            let _ = tensor.set_requires_grad(trainable);
        }
        self
    }

    /// The same adapters, of the very same tensors.
    #[must_use]
    pub fn view(&self) -> Self {
        self.map(Tensor::shallow_clone)
    }

    /// The Frobenius norm of each module's ΔW: how far it has gone from the base. The device is waited for once.
    pub fn norms(&self) -> BTreeMap<String, f64> {
        if self.layers.is_empty() {
            return BTreeMap::new();
        }
        let norms: Vec<Tensor> = no_grad(|| self.layers.values().map(LoraLayer::norm).collect());
        let norms = Vec::<f64>::try_from(Tensor::stack(&norms, 0).to_kind(Kind::Double)).expect("one number a module");
        self.layers.keys().cloned().zip(norms).collect()
    }

    /// A frozen copy that shares nothing with this.
    pub fn deep_copy(&self) -> Self {
        self.map(|t| t.detach().copy())
    }

    /// A frozen copy on another device.
    pub fn to_device(&self, device: Device) -> Self {
        self.map(|t| t.detach().to_device(device).copy())
    }

    /// A frozen copy of another dtype.
    pub fn to_kind(&self, kind: Kind) -> Self {
        self.map(|t| t.detach().to_kind(kind).copy())
    }

    /// Moves this average towards `source`: `self = decay·self + (1 − decay)·source`.
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] if the two are not of one shape.
    pub fn ema_update(&mut self, source: &Self, decay: f64) -> Result<(), DiffusionError> {
        same_modules(self, source)?;
        let mix = |old: &Tensor, new: &Tensor| no_grad(|| old.f_lerp(new, 1.0 - decay));
        for (average, new) in self.layers.values_mut().zip(source.layers.values()) {
            average.down = mix(&average.down, &new.down)?;
            average.up = mix(&average.up, &new.up)?;
        }
        Ok(())
    }

    /// ΔW of a module, in the shape of its weight; none if it is not adapted.
    pub fn delta(&self, path: &str) -> Option<Tensor> {
        self.layers.get(path).map(LoraLayer::delta)
    }

    /// That every adapter sits on a module of the model, with its shape.
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] listing what does not fit.
    pub fn check(&self, modules: &[LoraTarget]) -> Result<(), DiffusionError> {
        let shapes: BTreeMap<_, _> = modules.iter().map(|m| (m.path.as_str(), &m.shape)).collect();
        let wrong = self.layers.iter().filter_map(|(path, layer)| match shapes.get(path.as_str()) {
            None => Some(format!("{path} is no module of the model")),
            Some(shape) if **shape != layer.weight_shape() => {
                Some(format!("{path} adapts {:?} where the model has {shape:?}", layer.weight_shape()))
            }
            Some(_) => None,
        });
        all_or_nothing(wrong.collect())
    }

    /// That this LoRA has exactly the modules `targets` and on each the rank that [`Lora::new`] would give.
    ///
    /// # Errors
    /// [`DiffusionError::Lora`] listing what differs.
    pub fn check_rank(&self, targets: &[LoraTarget], rank: i64) -> Result<(), DiffusionError> {
        self.check(targets)?;
        let wrong = targets.iter().filter_map(|target| {
            let wanted = rank.min(target.max_rank());
            let found = self.layers.get(&target.path).map_or(0, LoraLayer::rank);
            (found != wanted).then(|| format!("{} has rank {found} where {wanted} is asked for", target.path))
        });
        all_or_nothing(wrong.collect())
    }

    fn map(&self, change: impl Fn(&Tensor) -> Tensor) -> Self {
        Self { layers: self.layers.iter().map(|(path, layer)| (path.clone(), layer.map(&change))).collect() }
    }
}

fn fresh(target: &LoraTarget, rank: i64, alpha: f64, seed: u64) -> LoraLayer {
    let (mut down, mut up) = (target.shape.clone(), vec![1; target.shape.len()]);
    down[0] = rank;
    (up[0], up[1]) = (target.shape[0], rank);
    let down = fan_in_uniform(seed, &target.path, &down, &target.shape);
    let up = Tensor::zeros(up, (Kind::Float, Device::Cpu));
    // Files hold alpha as float32: rounded here, a LoRA read back is the same to the bit.
    let alpha = f64::from(alpha as f32);
    LoraLayer { down: down.set_requires_grad(true), up: up.set_requires_grad(true), alpha }
}

fn same_modules(a: &Lora, b: &Lora) -> Result<(), DiffusionError> {
    let shapes = |l: &Lora| -> BTreeSet<_> {
        l.layers.iter().map(|(path, l)| (path.clone(), l.weight_shape(), l.rank(), l.alpha.to_bits())).collect()
    };
    let (a, b) = (shapes(a), shapes(b));
    let wrong = a.symmetric_difference(&b).map(|(path, ..)| path.clone()).collect::<BTreeSet<_>>();
    all_or_nothing(wrong.into_iter().map(|path| format!("{path} differs between average and source")).collect())
}

fn all_or_nothing(wrong: Vec<String>) -> Result<(), DiffusionError> {
    if wrong.is_empty() { Ok(()) } else { Err(DiffusionError::Lora(few(&wrong, "; "))) }
}
