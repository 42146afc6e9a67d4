//! `TrainVae`: a small VAE.

use hyper_flow_diffusion::Tape;
use hyper_flow_diffusion::losses::{Distance, autoencoder_losses};
use hyper_flow_diffusion::rng::Rng;
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig, DownEncoderBlockType, UpDecoderBlockType};
use hyper_flow_spec::kinds::TrainVae;
use tch::{Device, Kind, Tensor, no_grad};

use crate::NodeError;
use crate::artifacts::dataset::{Dataset, Split};
use crate::distilling::paint;
use crate::training::{Draw, Gallery, Group, Losses, Recipe, by_name, train};
use crate::worker::Context;

/// Pictures that a sample of the training shows, each above what comes back of it.
const SHOWN: usize = 10;

struct Autoencoding<'a> {
    vae: &'a AutoencoderKl,
    average: &'a AutoencoderKl,
    data: &'a Dataset,
    distance: Distance,
    kl: f64,
    device: Device,
}

impl Recipe for Autoencoding<'_> {
    fn name(&self) -> &'static str {
        "TrainVae"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, _: &Tape<'t>) -> Result<Losses, NodeError> {
        let data = &self.data.train;
        let pictures = data.drawn(&draw.slots(data.layout.slots()), self.device)?;
        let noise = draw.randn("noise", &latent_size(self.vae.config(), &pictures.size()[2..])?);
        let (reconstruction, kl) = autoencoder_losses(self.vae, &pictures, &noise, self.distance);
        Ok(vec![("reconstruction".into(), reconstruction), ("kl".into(), kl * self.kl)])
    }

    fn sample(&self) -> Result<Option<Gallery>, NodeError> {
        let held_out = &self.data.held_out;
        let shown: Vec<i64> = held_out.layout.by_file()[0].iter().copied().take(SHOWN).collect();
        let pictures = held_out.images(&shown, self.device)?;
        let decoded = no_grad(|| there_and_back(self.average, &pictures));
        Ok(Some(vec![("held-out pictures".to_owned(), pictures), ("what comes back of them".to_owned(), decoded)]))
    }
}

/// By the likeliest latents.
fn there_and_back(vae: &AutoencoderKl, pictures: &Tensor) -> Tensor {
    vae.decode(&vae.encode(pictures).mode())
}

fn config(params: &TrainVae, [channels, height, width]: [i64; 3]) -> AutoencoderKlConfig {
    let levels = params.channels.len();
    AutoencoderKlConfig {
        in_channels: channels,
        out_channels: channels,
        down_block_types: vec![DownEncoderBlockType::DownEncoderBlock2D; levels],
        up_block_types: vec![UpDecoderBlockType::UpDecoderBlock2D; levels],
        block_out_channels: params.channels.iter().map(|c| c.get()).collect(),
        layers_per_block: params.layers_per_block.get(),
        latent_channels: params.latent_channels.get(),
        norm_num_groups: 8,
        sample_size: height.max(width),
        ..AutoencoderKlConfig::default()
    }
}

/// (channels, height, width) of a picture's latent.
fn latent_size(config: &AutoencoderKlConfig, size: &[i64]) -> Result<[i64; 3], NodeError> {
    let factor = config.downsampling();
    let Some(side) = size.iter().find(|&side| side % factor != 0) else {
        return Ok([config.latent_channels, size[0] / factor, size[1] / factor]);
    };
    let levels = config.block_out_channels.len();
    Err(NodeError::Unfit(format!("pictures of {side} pixels cannot be halved for {levels} levels of `channels`")))
}

/// What gives the training pictures' latents a deviation of 1 (latent diffusion, appendix G).
fn scaling_factor(context: &Context, vae: &AutoencoderKl, data: &Split) -> Result<f64, NodeError> {
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0);
    for (chunk, pictures) in data.chunks().iter().enumerate() {
        context.stop_if_asked()?;
        let pictures = data.images(pictures, context.device)?;
        let posterior = no_grad(|| vae.encode(&pictures));
        let mut rng = Rng::at(context.seed(), "TrainVae/scaling", chunk as u64);
        let latents = posterior.sample(&rng.randn(&posterior.mean.size(), (Kind::Float, context.device)));
        sum += latents.sum(Kind::Double).double_value(&[]);
        squares += latents.square().sum(Kind::Double).double_value(&[]);
        count += latents.numel();
    }
    let mean = sum / count as f64;
    Ok(1.0 / (squares / count as f64 - mean * mean).sqrt())
}

/// The mean squared error of what comes back of held-out pictures.
fn held_out_mse(context: &Context, vae: &AutoencoderKl, data: &Split) -> Result<f64, NodeError> {
    let (mut total, mut count) = (0.0, 0);
    for pictures in data.chunks() {
        context.stop_if_asked()?;
        let pictures = data.images(&pictures, context.device)?;
        let error = no_grad(|| there_and_back(vae, &pictures) - &pictures).square();
        total += error.sum(Kind::Double).double_value(&[]);
        count += error.numel();
    }
    Ok(total / count as f64)
}

pub(super) fn run(context: &Context, params: &TrainVae) -> Result<(), NodeError> {
    let data = Dataset::read(context.input(&params.data)?)?;
    let config = config(params, data.train.shape_of(0));
    data.shapes().try_for_each(|shape| latent_size(&config, &shape[1..]).map(drop))?;
    let fresh = || AutoencoderKl::fresh(&config, context.seed(), context.device);
    let (vae, average) = (fresh()?.trainable(), fresh()?);
    let recipe = Autoencoding {
        vae: &vae,
        average: &average,
        data: &data,
        distance: paint::distance(params.distance),
        kl: params.kl.get(),
        device: context.device,
    };
    let group = Group::main("vae", by_name(vae.variables()), params.lr.get());
    train(context, &params.training(), vec![group], by_name(average.variables()), &recipe)?;

    context.reporter.metric("held_out_mse", held_out_mse(context, &average, &data.held_out)?);
    let factor = scaling_factor(context, &average, &data.train)?;
    Ok(average.with_scaling_factor(factor).save(&context.job.output)?)
}
