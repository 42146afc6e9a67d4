//! Gradient clipping by global norm, as `torch.nn.utils.clip_grad_norm_`.

use tch::{Kind, Tensor, no_grad};

/// The 2-norm of all gradients together. Parameters without a gradient count as 0; a non-finite gradient shows.
pub fn gradient_norm(parameters: &[Tensor]) -> f64 {
    let norms: Vec<_> = gradients(parameters).map(|grad| grad.norm().to_kind(Kind::Float)).collect();
    if norms.is_empty() { 0.0 } else { Tensor::stack(&norms, 0).norm().double_value(&[]) }
}

/// Scales all gradients in place so that their global norm is at most `max_norm`. Returns the norm before.
///
/// With a non-finite norm the gradients are left as they are: the caller stops on it and can still say which they were.
pub fn clip_gradients(parameters: &[Tensor], max_norm: f64) -> f64 {
    let norm = gradient_norm(parameters);
    // Torch's 1e-6 against division by zero.
    let scale = max_norm / (norm + 1e-6);
    if norm.is_finite() && scale < 1.0 {
        scale_gradients(parameters, scale);
    }
    norm
}

/// Multiplies all gradients in place.
pub fn scale_gradients(parameters: &[Tensor], factor: f64) {
    no_grad(|| gradients(parameters).for_each(|mut grad| drop(grad.g_mul_scalar_(factor))));
}

fn gradients(parameters: &[Tensor]) -> impl Iterator<Item = Tensor> {
    parameters.iter().map(Tensor::grad).filter(Tensor::defined)
}
