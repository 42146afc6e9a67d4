//! What a fine-tuned model changed about its base, as a LoRA.

use super::merge::Kept;
use super::svd::nearest;
use super::{Lora, LoraTarget, Truncation};
use crate::DiffusionError;
use crate::weights::Weights;
use tch::{Device, Kind, Tensor, no_grad};

/// A LoRA out of the difference of two models.
#[derive(Debug)]
pub struct Extract {
    /// On the modules whose weights differ.
    pub lora: Lora,
    /// What its rank loses of them.
    pub error: Truncation,
    /// Which part of the whole difference, ‖·‖ over ‖·‖, is in biases and norms, where no LoRA can sit.
    pub left_out: f64,
}

/// The LoRA of at most `rank` in each module that is nearest to `tuned` − `base`. `modules` are those of both models, whose
/// files have equal keys. `progress` hears how many modules of how many are done, and may stop it.
///
/// # Errors
/// [`DiffusionError::Lora`] if a module or key is missing in one of the two or nothing differs; what the files and
/// `progress` say.
pub fn extract<E: From<DiffusionError>>(
    modules: &[LoraTarget],
    tuned: &Weights,
    base: &Weights,
    rank: i64,
    device: Device,
    progress: impl Fn(usize, usize) -> Result<(), E>,
) -> Result<Extract, E> {
    let mut kept = Kept::default();
    let mut inside = 0.0;
    for (done, LoraTarget { path, shape }) in modules.iter().enumerate() {
        let delta = difference(&format!("{path}.weight"), tuned, base, device)?;
        if delta.size() != *shape {
            return Err(
                DiffusionError::Lora(format!("{path} is {:?} where the model has {shape:?}", delta.size())).into()
            );
        }
        let square = length(&delta);
        inside += square;
        if square > 0.0 {
            kept.add(path, no_grad(|| nearest(&delta, rank))?);
        }
        progress(done + 1, modules.len())?;
    }
    let outside = outside(modules, tuned, base)?;
    let (lora, error) = kept.into_parts();
    if lora.layers.is_empty() {
        return Err(DiffusionError::Lora("the two models have equal weights where a LoRA can sit".to_owned()).into());
    }
    Ok(Extract { lora, error, left_out: (outside / (inside + outside)).sqrt() })
}

/// The squared length of what differs elsewhere.
fn outside(modules: &[LoraTarget], tuned: &Weights, base: &Weights) -> Result<f64, DiffusionError> {
    let is_module = |key: &str| key.strip_suffix(".weight").is_some_and(|path| modules.iter().any(|m| m.path == path));
    let others = base.keys().filter(|key| !is_module(key));
    others.map(|key| Ok(length(&difference(key, tuned, base, Device::Cpu)?))).sum()
}

/// tuned − base in f64.
fn difference(key: &str, tuned: &Weights, base: &Weights, device: Device) -> Result<Tensor, DiffusionError> {
    let [tuned, base] = [tuned, base].map(|weights| weights.tensor(key, Kind::Double, device));
    let (tuned, base) = (tuned?, base?);
    let (sizes, unequal) = ((tuned.size(), base.size()), tuned.size() != base.size());
    if unequal {
        return Err(DiffusionError::Lora(format!(
            "{key} is {:?} in one model and {:?} in the other",
            sizes.0, sizes.1
        )));
    }
    Ok(tuned - base)
}

fn length(x: &Tensor) -> f64 {
    x.square().sum(Kind::Double).double_value(&[])
}
