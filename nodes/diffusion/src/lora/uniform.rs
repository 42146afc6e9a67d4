//! One rank and one alpha for all modules.

use super::{Lora, LoraLayer};
use tch::{Kind, Tensor, no_grad};

impl Lora {
    /// The same ΔW with one rank in every module, and this rank for alpha, so that the scale is 1; both halves of about
    /// the same size, so that 16 bits hold them. Frozen.
    ///
    /// It is what all programs read alike: where an alpha is lost, they take the rank for it, and diffusers (0.42) gives
    /// the attention layers of a kohya file the alpha that most of its modules have. Lower ranks are filled up with zeros.
    #[must_use]
    pub fn uniform(&self) -> Self {
        let rank = self.rank();
        no_grad(|| Self { layers: self.layers.iter().map(|(path, l)| (path.clone(), uniform(l, rank))).collect() })
    }
}

fn uniform(layer: &LoraLayer, rank: i64) -> LoraLayer {
    let (down, up) = (layer.down.detach(), layer.up.detach() * layer.scale());
    // By a power of two, which rounds nothing.
    let ratio = (size(&down) / size(&up)).log2() / 2.0;
    let shift = if ratio.is_finite() { ratio.round().exp2() } else { 1.0 };
    LoraLayer { down: filled(&(down / shift), 0, rank), up: filled(&(up * shift), 1, rank), alpha: rank as f64 }
}

fn size(x: &Tensor) -> f64 {
    x.to_kind(Kind::Double).norm().double_value(&[])
}

/// `x` with zeros at the end of a dimension, so that it has `size` there.
fn filled(x: &Tensor, dimension: i64, size: i64) -> Tensor {
    let mut shape = x.size();
    shape[dimension as usize] = size - shape[dimension as usize];
    Tensor::cat(&[x, &Tensor::zeros(shape, (x.kind(), x.device()))], dimension)
}
