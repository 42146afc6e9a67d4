//! The layers that models are made of. Each knows its full path, which is its diffusers key without `.weight`.

mod activation;
mod conv;
mod init;
mod linear;
mod norm;

pub use activation::Activation;
pub use conv::{Conv2d, ConvConfig};
pub(crate) use init::fan_in_uniform;
pub use init::init_weights;
pub use linear::Linear;
pub use norm::{GroupNorm, LayerNorm};

use tch::{Tensor, nn};

/// A path as its name in files.
fn name_of(vs: &nn::Path<'_>) -> String {
    vs.components().collect::<Vec<_>>().join(".")
}

/// A new variable that is not a number until it is initialised or loaded, so that forgetting both cannot pass unseen.
pub(crate) fn variable(vs: &nn::Path<'_>, name: &str, shape: &[i64]) -> Tensor {
    vs.add(name, Tensor::full(shape, f64::NAN, (vs.kind(), vs.device())), true)
}
