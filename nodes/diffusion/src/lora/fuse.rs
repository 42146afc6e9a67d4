//! An adapter in the weights of its base: drawing costs no more than the base alone.

use super::{Lora, LoraTarget};
use crate::error::DiffusionError;
use std::collections::BTreeMap;
use tch::{Tensor, nn, no_grad};

/// Adds weight·ΔW to the weight of every module that `lora` adapts. The sum is rounded once, to the dtype of the store.
///
/// # Errors
/// [`DiffusionError::Lora`] listing the modules that the store does not have in that shape; then nothing has been changed.
pub fn fuse(vs: &nn::VarStore, lora: &Lora, weight: f64) -> Result<(), DiffusionError> {
    let variables: BTreeMap<String, Tensor> = vs.variables().into_iter().collect();
    let target = |(name, tensor): (&String, &Tensor)| {
        Some(LoraTarget { path: name.strip_suffix(".weight")?.to_owned(), shape: tensor.size() })
    };
    lora.check(&variables.iter().filter_map(target).collect::<Vec<_>>())?;
    for (path, layer) in &lora.layers {
        let mut variable = variables[&format!("{path}.weight")].shallow_clone();
        no_grad(|| {
            let sum = &variable + layer.delta().to_device(variable.device()) * weight;
            variable.f_copy_(&sum)
        })?;
    }
    Ok(())
}

/// Takes out what [`fuse`] added. Each value comes back to within two roundings of a value as large as |W| + |ΔW|: 2⁻²³ of
/// it in float32, 2⁻⁸ in bfloat16. To switch often or from half precision, use [`Adapters`](super::Adapters), which leave
/// the base alone.
///
/// # Errors
/// As [`fuse`].
pub fn unfuse(vs: &nn::VarStore, lora: &Lora, weight: f64) -> Result<(), DiffusionError> {
    fuse(vs, lora, -weight)
}
