//! Dropout of what goes into an adapter, as peft's `lora_dropout`.

use crate::rng::Rng;
use tch::{Kind, Tensor};

/// Dropout in one pass of a training. Which values it drops is a function of (seed, module, place in the batch): computed
/// again, a part of a network drops the same, and parts of a batch drop what the whole would.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// The share of values that are dropped; the others are scaled up by 1/(1 − p).
    pub p: f64,
    /// Another for each pass.
    pub seed: u64,
    /// Which of a batch's parts of equal size this is.
    pub part: i64,
}

const LOW: i64 = 0xffff_ffff;

impl Dropout {
    /// x (b, …) with some values dropped. `path` is that of the adapted module.
    pub(super) fn apply(&self, path: &str, x: &Tensor) -> Tensor {
        let scale = if self.p < 1.0 { 1.0 / (1.0 - self.p) } else { 0.0 };
        x * self.kept(path, x).to_kind(x.kind()) * scale
    }

    /// Whether each value of x is kept: hashes of their numbers in the batch, made where x is. (A stream of [`Rng`] would
    /// have to be drawn on the CPU: billions of numbers a step.)
    ///
    /// The hash is the 32-bit finaliser of two rounds whose multipliers Wellons found by search (hash-prospector), with a
    /// key before and a key between the rounds. Both multipliers are below 2^31: nothing overflows 64 bits.
    fn kept(&self, path: &str, x: &Tensor) -> Tensor {
        let keys = Rng::at(self.seed, path, 0).bits();
        let (first, second) = ((keys >> 32) as i64, keys as i64 & LOW);
        let count = x.numel() as i64;
        let numbers = Tensor::arange(count, (Kind::Int64, x.device())) + (self.part * count + first);
        let mixed = shift_xor(&numbers.bitwise_and(LOW), 16) * 0x21f0_aaad;
        let mixed = mixed.bitwise_and(LOW).bitwise_xor(second);
        let mixed = (shift_xor(&mixed, 15) * 0x735a_2d97).bitwise_and(LOW);
        shift_xor(&mixed, 15).ge((self.p * (LOW + 1) as f64) as i64).reshape(x.size())
    }
}

fn shift_xor(x: &Tensor, bits: i64) -> Tensor {
    x.bitwise_xor_tensor(&x.bitwise_right_shift_tensor_scalar(bits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn kept(p: f64, seed: u64, part: i64, path: &str, rows: i64) -> Tensor {
        let x = Tensor::ones([rows, 64, 100], (Kind::Float, Device::Cpu));
        Dropout { p, seed, part }.apply(path, &x)
    }

    #[test]
    fn drops_its_share_and_keeps_the_mean() {
        for p in [0.0, 0.1, 0.5, 0.9] {
            let x = kept(p, 1, 0, "a", 100);
            let dropped = x.eq(0.0).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            // 640,000 values: five standard errors.
            assert!((dropped - p).abs() < 5.0 * (p * (1.0 - p) / 640_000.0).sqrt() + 1e-12, "{p}: {dropped}");
            assert!((x.max().double_value(&[]) - 1.0 / (1.0 - p)).abs() < 1e-6);
        }
        assert_eq!(kept(1.0, 1, 0, "a", 1).abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn parts_of_a_batch_are_the_batch() {
        let parts = Tensor::cat(&[kept(0.3, 1, 0, "a", 2), kept(0.3, 1, 1, "a", 2)], 0);
        assert_eq!(parts, kept(0.3, 1, 0, "a", 4));
    }

    /// Neighbouring values, other modules and other seeds: as often alike as independent ones are.
    #[test]
    fn what_is_dropped_here_says_nothing_of_there() {
        let x = kept(0.5, 1, 0, "a", 100).flatten(0, -1);
        let n = x.size()[0];
        let others = [
            (x.narrow(0, 0, n - 1), x.narrow(0, 1, n - 1)),
            (x.narrow(0, 0, n - 100), x.narrow(0, 100, n - 100)),
            (x.shallow_clone(), kept(0.5, 1, 0, "b", 100).flatten(0, -1)),
            (x.shallow_clone(), kept(0.5, 2, 0, "a", 100).flatten(0, -1)),
        ];
        for (i, (x, other)) in others.iter().enumerate() {
            let alike = x.eq_tensor(other).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            assert!((alike - 0.5).abs() < 5.0 * (0.25 / n as f64).sqrt(), "{i}: {alike}");
        }
    }
}
