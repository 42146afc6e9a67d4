//! Gradient clipping by global norm, as `torch.nn.utils.clip_grad_norm_`.

use tch::{Kind, Tensor};

/// The 2-norm of all gradients together. Parameters without a gradient count as 0; a non-finite gradient shows.
pub fn gradient_norm(parameters: &[Tensor]) -> f64 {
    let gradients = parameters.iter().map(Tensor::grad).filter(Tensor::defined);
    let norms: Vec<_> = gradients.map(|grad| grad.norm().to_kind(Kind::Float)).collect();
    if norms.is_empty() { 0.0 } else { Tensor::stack(&norms, 0).norm().double_value(&[]) }
}

/// What gradients of this norm are multiplied by so that it is at most `max_norm`; nothing where it is, or is not finite.
pub(super) fn clip_factor(norm: f64, max_norm: f64) -> Option<f64> {
    // Torch's 1e-6 against division by zero.
    let factor = max_norm / (norm + 1e-6);
    (norm.is_finite() && factor < 1.0).then_some(factor)
}
