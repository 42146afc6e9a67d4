//! The UNet of Stable Diffusion, in the structure and with the names of diffusers' `UNet2DConditionModel`.

mod config;
mod config_file;
mod down;
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
pub use model::{AddedConditions, UNet2DConditionModel};
pub use pretrained::{load, save};

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
