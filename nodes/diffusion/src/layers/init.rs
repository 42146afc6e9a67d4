//! Fresh weights as PyTorch gives them by default, as a function of (seed, name) alone: not of the device, the thread
//! count, the order of construction or a generator that others use too.

use crate::rng::Rng;
use std::collections::HashMap;
use tch::{Device, Kind, Tensor, nn, no_grad};

/// Initialises all variables of a store as PyTorch's `Linear`, `Conv2d`, `GroupNorm` and `LayerNorm` do: weights and
/// biases uniform in ±1/√fan_in (that is Kaiming with a = √5), norms to one and zero.
///
/// A one-dimensional `weight` is taken for a norm's. Embeddings and bare parameters have no place here.
pub fn init_weights(vs: &nn::VarStore, seed: u64) {
    let variables = vs.variables();
    for (name, variable) in &variables {
        let value = initial(&variables, name, seed);
        no_grad(|| variable.shallow_clone().copy_(&value));
    }
}

fn initial(variables: &HashMap<String, Tensor>, name: &str, seed: u64) -> Tensor {
    let shape = variables[name].size();
    let (module, parameter) = name.rsplit_once('.').unwrap_or(("", name));
    let weight_shape = variables.get(&format!("{module}.weight")).map_or_else(|| shape.clone(), Tensor::size);
    match (weight_shape.len(), parameter) {
        (1, "weight") => Tensor::ones(&shape, (Kind::Float, Device::Cpu)),
        (1, _) => Tensor::zeros(&shape, (Kind::Float, Device::Cpu)),
        _ => fan_in_uniform(seed, name, &shape, &weight_shape),
    }
}

/// A float tensor on the CPU, uniform in ±1/√fan_in of a weight (out, in, kernel…): Kaiming's uniform law with a = √5.
pub(crate) fn fan_in_uniform(seed: u64, name: &str, shape: &[i64], weight_shape: &[i64]) -> Tensor {
    let fan_in: i64 = weight_shape[1..].iter().product();
    let bound = 1.0 / (fan_in as f64).sqrt();
    Rng::at(seed, name, 0).uniform(-bound, bound, shape, (Kind::Float, Device::Cpu))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Conv2d, ConvConfig, GroupNorm, Linear};

    fn model() -> nn::VarStore {
        let vs = nn::VarStore::new(Device::Cpu);
        let root = vs.root();
        Linear::new(&(&root / "linear"), 50, 200, true);
        Conv2d::new(&(&root / "conv"), 8, 32, ConvConfig::SAME_3);
        GroupNorm::new(&(&root / "norm"), 4, 32, 1e-5);
        vs
    }

    #[test]
    fn follows_the_laws_of_pytorch() {
        let vs = model();
        assert!(bool::try_from(vs.variables()["linear.weight"].isnan().any()).unwrap());
        init_weights(&vs, 3);
        let variables = vs.variables();
        for (name, fan_in) in [("linear.weight", 50.0), ("linear.bias", 50.0), ("conv.weight", 72.0)] {
            let (bound, t) = (1.0 / f64::sqrt(fan_in), &variables[name]);
            let largest = t.abs().max().double_value(&[]);
            assert!(largest <= bound && largest > 0.97 * bound, "{name}: {largest} against {bound}");
            let deviation = t.std(true).double_value(&[]);
            assert!((deviation / (bound / 3f64.sqrt()) - 1.0).abs() < 0.12, "{name}: {deviation}");
        }
        assert_eq!(variables["norm.weight"].min().double_value(&[]), 1.0);
        assert_eq!(variables["norm.bias"].abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn is_a_function_of_seed_and_name() {
        let [a, b, c] = [1, 1, 2].map(|seed| {
            let vs = model();
            init_weights(&vs, seed);
            vs.variables()
        });
        assert_eq!(a["conv.weight"], b["conv.weight"]);
        assert_ne!(a["conv.weight"], c["conv.weight"]);
        assert_ne!(a["conv.bias"].narrow(0, 0, 8), a["linear.bias"].narrow(0, 0, 8));
    }
}
