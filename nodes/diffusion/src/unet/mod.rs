//! The UNet of Stable Diffusion, in the structure and with the names of diffusers' `UNet2DConditionModel`.
//!
//! What it costs beside diffusers' (`tests/parity/unet_cost.py`: random weights, one sample, 2 cores of a Xeon with AMX on
//! which other work ran; median seconds and peak memory of the process, and how far the outputs are apart, relative to the
//! largest):
//!
//! | | here | diffusers | apart |
//! |---|---|---|---|
//! | SD1.5, fp32, forward | 13.1 s, 3806 MiB | 14.4 s, 4423 MiB | 0 |
//! | SD1.5, bf16, forward | 1.3 s, 2001 MiB | 1.3 s, 2578 MiB | 0 |
//! | SDXL, bf16, forward | 19.7 s, 5584 MiB | 18.0 s, 6172 MiB | 9e-3 |
//! | SD1.5, fp32, LoRA step of rank 64 | 11.0 s, 7493 MiB | 11.9 s, 8579 MiB | |
//! | the same on a [`Tape`] | 16.0 s, 5390 MiB | 15.4 s, 7381 MiB | |

mod config;
mod config_file;
mod down;
mod encoder;
mod feed_forward;
mod mid;
mod model;
#[cfg(test)]
mod parity;
mod pretrained;
mod time;
mod transformer;
mod transformer_block;
mod up;

pub use crate::layers::TimeScaleShift;
pub use config::{AdditionEmbedType, DownBlockType, MidBlockType, PerBlock, UNet2DConditionConfig, UpBlockType};
pub use encoder::UNetEncoder;
pub use model::{AddedConditions, UNet2DConditionModel};
pub use pretrained::{load, save, weights};

use crate::Tape;
use crate::lora::Adapters;
use tch::Tensor;

/// What all blocks of one forward pass are given.
struct Context<'c, 'm> {
    /// The time embedding (b, time).
    emb: Tensor,
    /// The text (b, length, dim).
    text: Tensor,
    pass: Pass<'c, 'm>,
}

/// How the parts of one forward pass are run.
#[derive(Clone, Copy)]
struct Pass<'c, 'm> {
    adapters: &'c Adapters<'m>,
    tape: &'c Tape<'m>,
}

impl<'m> Pass<'_, 'm> {
    /// Runs a part of the network on the tape.
    fn run<const N: usize>(
        &self,
        inputs: [&Tensor; N],
        part: impl Fn([&Tensor; N], &Adapters<'m>) -> Tensor + 'm,
    ) -> Tensor {
        let adapters = self.adapters.clone();
        let [output] = self.tape.run(inputs, move |inputs| [part(inputs, &adapters)]);
        output
    }
}
