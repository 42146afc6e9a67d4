//! The whole autoencoder.

use super::blocks::on;
use super::decoder::Decoder;
use super::encoder::Encoder;
use super::tiles::Tiles;
use super::{AutoencoderKlConfig, Posterior};
use crate::Tape;
use crate::error::DiffusionError;
use crate::layers::{Conv2d, ConvConfig};
use crate::lora::Adapters;
use crate::send;
use tch::{Kind, Tensor, nn};

/// Pictures in [-1, 1] to latents and back. Its weights are frozen unless it is [`trainable`](Self::trainable): gradients
/// pass through it to what it is given.
#[derive(Debug)]
pub struct AutoencoderKl {
    config: AutoencoderKlConfig,
    vs: nn::VarStore,
    encoder: Encoder,
    decoder: Decoder,
    quant_conv: Option<Conv2d>,
    post_quant_conv: Option<Conv2d>,
    slicing: bool,
    tiling: bool,
}

impl AutoencoderKl {
    /// Makes the variables in `vs`, which must be empty: its names are the diffusers keys. They are to be initialised or
    /// loaded.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] if the configuration does not fit itself.
    pub fn new(mut vs: nn::VarStore, config: &AutoencoderKlConfig) -> Result<Self, DiffusionError> {
        config.check()?;
        let root = vs.root();
        let point = |name, channels| Conv2d::new(&(&root / name), channels, channels, ConvConfig::POINT);
        let encoder = Encoder::new(&(&root / "encoder"), config);
        let decoder = Decoder::new(&(&root / "decoder"), config);
        let quant_conv = config.use_quant_conv.then(|| point("quant_conv", 2 * config.latent_channels));
        let post_quant_conv = config.use_post_quant_conv.then(|| point("post_quant_conv", config.latent_channels));
        vs.freeze();
        let config = config.clone();
        Ok(Self { config, vs, encoder, decoder, quant_conv, post_quant_conv, slicing: false, tiling: false })
    }

    /// The configuration.
    pub fn config(&self) -> &AutoencoderKlConfig {
        &self.config
    }

    /// The variables, under their diffusers keys.
    pub fn variables(&self) -> &nn::VarStore {
        &self.vs
    }

    /// The dtype of the weights.
    pub fn kind(&self) -> Kind {
        self.vs.kind()
    }

    /// The same model, whose weights get gradients.
    #[must_use]
    pub fn trainable(mut self) -> Self {
        self.vs.unfreeze();
        self
    }

    /// The same model, whose latents are multiplied by `scaling_factor` for the UNet.
    #[must_use]
    pub fn with_scaling_factor(mut self, scaling_factor: f64) -> Self {
        self.config.scaling_factor = scaling_factor;
        self
    }

    /// The same model, which takes one picture of a batch at a time if `slicing`.
    #[must_use]
    pub fn with_slicing(self, slicing: bool) -> Self {
        Self { slicing, ..self }
    }

    /// The same model, which codes pictures larger than `sample_size` in overlapping tiles if `tiling`. Tiles do not see
    /// each other, so what it makes is a little different.
    #[must_use]
    pub fn with_tiling(self, tiling: bool) -> Self {
        Self { tiling, ..self }
    }

    /// pictures (b, in, h, w) → the distribution of their latents (b, latent, h/d, w/d), in the pictures' dtype.
    ///
    /// # Panics
    /// On shapes that do not fit, as plain tensor operations do: see [`catch`](crate::catch).
    pub fn encode(&self, pictures: &Tensor) -> Posterior {
        let moments = self.in_slices(&Tape::off(), &pictures.to_kind(self.kind()), |x| self.moments(x));
        Posterior::new(&moments.to_kind(pictures.kind()))
    }

    /// latents as the encoder gives them (b, latent, h, w) → pictures (b, out, d·h, d·w), in the latents' dtype.
    ///
    /// # Panics
    /// On shapes that do not fit, as plain tensor operations do: see [`catch`](crate::catch).
    pub fn decode(&self, z: &Tensor) -> Tensor {
        self.decode_on(&Tape::off(), z)
    }

    /// As [`decode`](Self::decode), recorded on a tape: the parts of the decoder are computed again in its backward pass.
    ///
    /// # Panics
    /// As [`decode`](Self::decode).
    pub fn decode_on<'m>(&'m self, tape: &Tape<'m>, z: &Tensor) -> Tensor {
        self.in_slices(tape, z, |z| self.pictures(tape, z)).to_kind(z.kind())
    }

    /// pictures → latents as the UNet takes them: the draw that `noise` makes, or the likeliest.
    ///
    /// # Panics
    /// As [`encode`](Self::encode).
    pub fn to_latents(&self, pictures: &Tensor, noise: Option<&Tensor>) -> Tensor {
        let posterior = self.encode(pictures);
        let z = noise.map_or_else(|| posterior.mode(), |noise| posterior.sample(noise));
        let (factor, shift) = (self.config.scaling_factor, self.config.shift_factor.unwrap_or_default());
        match self.mean_and_std(&z) {
            Some((mean, std)) => (z - mean) * factor / std,
            None => (z - shift) * factor,
        }
    }

    /// latents as the UNet gives them → pictures.
    ///
    /// # Panics
    /// As [`decode`](Self::decode).
    pub fn to_pictures(&self, latents: &Tensor) -> Tensor {
        self.to_pictures_on(&Tape::off(), latents)
    }

    /// As [`to_pictures`](Self::to_pictures), recorded on a tape.
    ///
    /// # Panics
    /// As [`decode`](Self::decode).
    pub fn to_pictures_on<'m>(&'m self, tape: &Tape<'m>, latents: &Tensor) -> Tensor {
        let (factor, shift) = (self.config.scaling_factor, self.config.shift_factor.unwrap_or_default());
        let statistics = self.mean_and_std(latents);
        let z = on(tape, latents, move |latents| match &statistics {
            Some((mean, std)) => latents * std / factor + mean,
            None => latents / factor + shift,
        });
        self.decode_on(tape, &z)
    }

    fn in_slices(&self, tape: &Tape<'_>, x: &Tensor, map: impl Fn(&Tensor) -> Tensor) -> Tensor {
        let rows = x.size()[0];
        if self.slicing && rows > 1 {
            let slices: Vec<_> = (0..rows).map(|i| map(&on(tape, x, move |x| x.narrow(0, i, 1)))).collect();
            Tensor::cat(&slices, 0)
        } else {
            map(x)
        }
    }

    fn moments(&self, x: &Tensor) -> Tensor {
        let map = |x: &Tensor| point(self.quant_conv.as_ref(), &self.encoder.forward(x));
        let tiles = Tiles { from: self.config.sample_size, to: self.latent_tile() };
        if self.tiling && tiles.needed(x) { tiles.map(x, map) } else { map(x) }
    }

    fn pictures<'m>(&'m self, tape: &Tape<'m>, z: &Tensor) -> Tensor {
        let kind = self.kind();
        let inner = move |z: &Tensor| point(self.post_quant_conv.as_ref(), &z.to_kind(kind));
        let map = |z: &Tensor| self.decoder.forward(&on(tape, z, inner), tape);
        let tiles = Tiles { from: self.latent_tile(), to: self.config.sample_size };
        if self.tiling && tiles.needed(z) { tiles.map(z, map) } else { map(z) }
    }

    fn latent_tile(&self) -> i64 {
        self.config.sample_size / self.config.downsampling()
    }

    /// Each channel's mean and deviation (1, latent, 1, 1), where the configuration has them.
    fn mean_and_std(&self, like: &Tensor) -> Option<(Tensor, Tensor)> {
        let channels = |values: &Vec<f64>| {
            let values: Vec<_> = values.iter().map(|&value| value as f32).collect();
            send(&Tensor::from_slice(&values).reshape([1, -1, 1, 1]), like.device()).to_kind(like.kind())
        };
        let (mean, std) = self.config.latents_mean.as_ref().zip(self.config.latents_std.as_ref())?;
        Some((channels(mean), channels(std)))
    }
}

fn point(conv: Option<&Conv2d>, x: &Tensor) -> Tensor {
    conv.map_or_else(|| x.shallow_clone(), |conv| conv.forward(x, &Adapters::none()))
}
