//! The number format that a node computes in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The dtype of frozen networks. What is trained, norms, softmax, losses and the sampler's arithmetic stay in fp32. A CPU
/// without instructions for 16 bits computes each layer in fp32 from weights that stay in 16: in training with `checkpointing`,
/// else the widened weights of all layers are held until the backward pass, which is more than Fp32 takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Precision {
    /// 32 bits, on a GPU too.
    #[default]
    Fp32,
    /// 32 bits, but GPUs since Ampere may round the factors of products and convolutions to ten bits of mantissa, which is
    /// faster. Elsewhere it is Fp32.
    Tf32,
    /// 16 bits with five for the exponent: what many published weights are stored in. Large values overflow. In training,
    /// losses are scaled so that gradients do not vanish.
    Fp16,
    /// 16 bits with fp32's exponent and fewer digits: half the memory, and no overflow.
    Bf16,
}
