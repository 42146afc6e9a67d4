//! The operations that layers spend their time in, in the dtype that the machine computes them in.

use crate::half::layer_kind;
use tch::Tensor;

/// x (…, in)·Wᵀ + b → (…, out), in x's dtype, which the weights must have.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
    let kind = layer_kind(x);
    let bias = bias.map(|bias| bias.to_kind(kind));
    x.to_kind(kind).linear(&weight.to_kind(kind), bias).to_kind(x.kind())
}

/// The convolution of x (b, in, h, w) with a weight (out, in, kernel, kernel), in x's dtype, which the weights must have.
pub(crate) fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: i64, padding: i64) -> Tensor {
    let kind = layer_kind(x);
    let (x_wide, bias) = (x.to_kind(kind), bias.map(|bias| bias.to_kind(kind)));
    x_wide.conv2d(&weight.to_kind(kind), bias, [stride; 2], [padding; 2], [1; 2], 1).to_kind(x.kind())
}

/// What a sequence attends to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attended<'a> {
    /// All of the other sequence.
    All,
    /// Of itself, what is not later.
    Past,
    /// What a mask, broadcast to (b, heads, n, m), has true.
    Masked(&'a Tensor),
}

/// Attention of q (b, heads, n, d) to k and v (b, heads, m, d), scaled by 1/√d → (b, heads, n, d), in q's dtype.
pub(crate) fn attend(q: &Tensor, k: &Tensor, v: &Tensor, attended: Attended<'_>) -> Tensor {
    let kind = layer_kind(q);
    let [q_wide, k, v] = [q, k, v].map(|x| x.to_kind(kind));
    let mask = match attended {
        Attended::Masked(mask) => Some(mask),
        _ => None,
    };
    let causal = matches!(attended, Attended::Past);
    Tensor::scaled_dot_product_attention(&q_wide, &k, &v, mask, 0.0, causal, None, false).to_kind(q.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::half::{HalfCompute, with_half_compute};
    use crate::rng::Rng;
    use tch::{Device, Kind};

    type Op = fn(&[Tensor; 3]) -> Tensor;

    /// Each with the shapes of what it takes.
    const OPS: [(&str, Op, [&[i64]; 3]); 4] = [
        ("linear", |[x, w, b]| linear(x, w, Some(b)), [&[4, 33, 96], &[64, 96], &[64]]),
        ("convolution", |[x, w, b]| conv2d(x, w, Some(b), 2, 1), [&[2, 24, 9, 9], &[40, 24, 3, 3], &[40]]),
        ("attention", |[q, k, v]| attend(q, k, v, Attended::All), [&[2, 4, 31, 16], &[2, 4, 77, 16], &[2, 4, 77, 16]]),
        ("causal", |[q, k, v]| attend(q, k, v, Attended::Past), [&[2, 4, 31, 16], &[2, 4, 31, 16], &[2, 4, 31, 16]]),
    ];

    /// (result, gradient with respect to the first input) of an operation on numbers of `rounded` held in `held`.
    fn outcome(op: Op, shapes: &[&[i64]; 3], rounded: Kind, held: Kind) -> [Tensor; 2] {
        let input = |i: usize| Rng::at(1, "x", i as u64).randn(shapes[i], (Kind::Float, Device::Cpu));
        let inputs = [0, 1, 2].map(|i| input(i).to_kind(rounded).to_kind(held));
        let x = inputs[0].set_requires_grad(true);
        let y = op(&inputs);
        // A gradient that both formats hold.
        (y.to_kind(Kind::Float) * 0.25).sum(Kind::Float).backward();
        [y.detach(), x.grad()]
    }

    #[test]
    fn widened_is_float32_rounded_once_and_native_differs_by_the_order_of_sums() {
        for (name, op, shapes) in OPS {
            for (kind, step) in [(Kind::BFloat16, 2f64.powi(-7)), (Kind::Half, 2f64.powi(-10))] {
                let exact = outcome(op, &shapes, kind, Kind::Float);
                let widened = with_half_compute(HalfCompute::Widened, || outcome(op, &shapes, kind, kind));
                let native = with_half_compute(HalfCompute::Native, || outcome(op, &shapes, kind, kind));
                for i in 0..2 {
                    assert_eq!(widened[i].kind(), kind);
                    assert_eq!(widened[i], exact[i].to_kind(kind), "{name} {kind:?} {i}");
                    let far = (native[i].to_kind(Kind::Float) - &exact[i]).abs().max() / exact[i].abs().max();
                    assert!(far.double_value(&[]) < 4.0 * step, "{name} {kind:?} {i}: {far}");
                }
            }
        }
    }

    #[test]
    fn a_mask_hides_in_every_format() {
        let [q, k, v] = [0, 1, 2].map(|i| Rng::at(2, "m", i).randn(&[1, 2, 5, 8], (Kind::Float, Device::Cpu)));
        let seen = Tensor::from_slice(&[true, true, true, false, false]).reshape([1, 1, 1, 5]);
        let rest = |x: &Tensor| x.narrow(2, 0, 3);
        for kind in [Kind::Float, Kind::BFloat16, Kind::Half] {
            let [q, k, v] = [&q, &k, &v].map(|x| x.to_kind(kind));
            for how in [HalfCompute::Widened, HalfCompute::Native] {
                with_half_compute(how, || {
                    let wanted = attend(&q, &rest(&k), &rest(&v), Attended::All);
                    let apart = (attend(&q, &k, &v, Attended::Masked(&seen)) - &wanted).abs().max();
                    assert!(apart.double_value(&[]) < 0.02, "{kind:?} {how:?}: {apart}");
                });
            }
        }
    }
}
