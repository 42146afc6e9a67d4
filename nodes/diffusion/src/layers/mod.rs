//! The layers that models are made of. Each knows its full path, which is its diffusers key without `.weight`.

mod activation;
mod attention;
mod conv;
mod init;
mod linear;
mod norm;
mod ops;
mod resample;
mod resnet;

pub use activation::Activation;
pub(crate) use attention::Attention;
pub use conv::{Conv2d, ConvConfig};
pub(crate) use init::fan_in_uniform;
pub use init::init_weights;
pub use linear::Linear;
pub use norm::{GroupNorm, LayerNorm};
pub(crate) use ops::{Attended, attend, conv2d};
pub(crate) use resample::{Downsample2D, Upsample2D};
pub use resnet::TimeScaleShift;
pub(crate) use resnet::{ResnetBlock2D, ResnetConfig};

use tch::{Tensor, nn};

/// A path as its name in files.
fn name_of(vs: &nn::Path<'_>) -> String {
    vs.components().collect::<Vec<_>>().join(".")
}

/// A new variable, to be initialised or loaded. Its first number is not one, so that forgetting both cannot pass unseen;
/// the others are not written, and memory that is not written is not taken: a model of any size is made at once.
pub(crate) fn variable(vs: &nn::Path<'_>, name: &str, shape: &[i64]) -> Tensor {
    let tensor = Tensor::empty(shape, (vs.kind(), vs.device()));
    let _ = tensor.flatten(0, -1).narrow(0, 0, 1).fill_(f64::NAN);
    vs.add(name, tensor, true)
}
