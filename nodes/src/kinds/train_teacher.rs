//! `TrainTeacher`: a small text-conditioned diffusion model.

use std::rc::Rc;

use hyper_flow_diffusion::layers::init_weights;
use hyper_flow_diffusion::lora::Adapters;
use hyper_flow_diffusion::losses::{Denoiser, denoising_loss};
use hyper_flow_diffusion::schedulers::{NoiseSchedule, PredictionType, SchedulerConfig};
use hyper_flow_diffusion::unet::{DownBlockType, PerBlock, UNet2DConditionConfig, UNet2DConditionModel, UpBlockType};
use hyper_flow_diffusion::vae::{AutoencoderKl, AutoencoderKlConfig};
use hyper_flow_diffusion::{Tape, TextEncoders};
use hyper_flow_spec::kinds::{Prediction, TrainTeacher};
use tch::{Kind, Tensor, no_grad};

use crate::NodeError;
use crate::artifacts::dataset::{Dataset, Shape, tell_long};
use crate::artifacts::model::{self, Parts};
use crate::distilling::paint::{Few, SHOWN_STEPS, snr_weighting};
use crate::training::{Conditioned, Draw, Gallery, Group, Losses, Recipe, Told, Twin, train};
use crate::worker::Context;

struct Denoising<'a> {
    twin: &'a Twin<UNet2DConditionModel>,
    schedule: &'a NoiseSchedule,
    data: &'a Conditioned,
    vae: Option<&'a AutoencoderKl>,
    params: &'a TrainTeacher,
    seed: u64,
}

impl Recipe for Denoising<'_> {
    fn name(&self) -> &'static str {
        "TrainTeacher"
    }

    fn losses<'t>(&'t self, _: &str, draw: &Draw<'_>, tape: &Tape<'t>) -> Result<Losses, NodeError> {
        let (x0, conditions) = self.data.batch(draw)?;
        let Told { conditions, .. } = self.data.with_empty(conditions, self.params.caption_dropout, draw);
        let noise = draw.randn("noise", &x0.size()[1..]);
        let t = draw.stratified("timesteps", 0, self.schedule.train_timesteps());
        let denoiser = Denoiser { unet: &self.twin.model, schedule: self.schedule };
        let (adapters, weighting) = (Adapters::none(), snr_weighting(self.params.weighting));
        let loss = denoising_loss(tape, &denoiser, &x0, &noise, &t, &conditions, &adapters, weighting);
        Ok(vec![("denoising".into(), loss)])
    }

    fn sample(&self) -> Result<Option<Gallery>, NodeError> {
        let denoiser = Denoiser { unet: &self.twin.average, schedule: self.schedule };
        let few = Few { denoiser, steps: SHOWN_STEPS };
        let pictures = |samples: &Tensor| match self.vae {
            Some(vae) => no_grad(|| vae.to_pictures(samples)),
            None => samples.shallow_clone(),
        };
        few.gallery(self.data, &Adapters::none(), self.seed, pictures).map(Some)
    }
}

fn config(params: &TrainTeacher, [channels, height, width]: [i64; 3], text_width: i64) -> UNet2DConditionConfig {
    let levels = params.channels.len();
    let attends = |level: usize| level >= params.plain_levels.index();
    let down = |level| if attends(level) { DownBlockType::CrossAttnDownBlock2D } else { DownBlockType::DownBlock2D };
    let up = |level| if attends(level) { UpBlockType::CrossAttnUpBlock2D } else { UpBlockType::UpBlock2D };
    UNet2DConditionConfig {
        sample_size: Some(if height == width { PerBlock::Same(width) } else { PerBlock::Each(vec![height, width]) }),
        in_channels: channels,
        out_channels: channels,
        down_block_types: (0..levels).map(down).collect(),
        up_block_types: (0..levels).rev().map(up).collect(),
        block_out_channels: params.channels.iter().map(|c| c.get()).collect(),
        layers_per_block: PerBlock::Same(params.layers_per_block.get()),
        norm_num_groups: 8,
        cross_attention_dim: PerBlock::Same(text_width),
        attention_head_dim: PerBlock::Same(params.heads.get()),
        ..UNet2DConditionConfig::default()
    }
}

fn scheduler(prediction: Prediction, latent: bool) -> SchedulerConfig {
    let prediction = match prediction {
        Prediction::Epsilon => PredictionType::Epsilon,
        Prediction::V => PredictionType::VPrediction,
    };
    let like_sd = SchedulerConfig::stable_diffusion(prediction);
    match latent {
        true => like_sd,
        // Pixels have no decoder that forgives the noise which ᾱ_0 leaves.
        false => SchedulerConfig { set_alpha_to_one: true, steps_offset: 0, ..like_sd },
    }
}

fn check(data: &Dataset, vae: Option<&AutoencoderKlConfig>, params: &TrainTeacher) -> Result<(), NodeError> {
    let levels = params.channels.len();
    let factor = vae.map_or(1, AutoencoderKlConfig::downsampling);
    let halved = factor * 2i64.pow(levels as u32 - 1);
    if let Some([channels, height, width]) = data.shapes().find(|[_, h, w]| h % halved != 0 || w % halved != 0) {
        let latents = if factor > 1 { format!(", as latents of {factor} pixels each,") } else { String::new() };
        return Err(NodeError::Unfit(format!(
            "pictures of {}{latents} cannot be halved for {levels} levels of `channels`",
            Shape { channels, height, width }.size()
        )));
    }
    match vae.filter(|vae| vae.in_channels != data.channels()) {
        Some(vae) => Err(NodeError::Unfit(format!(
            "the VAE encodes pictures of {} channels, and the dataset's have {}; train it on the same dataset",
            vae.in_channels,
            data.channels()
        ))),
        None => Ok(()),
    }
}

pub(super) fn run(context: &Context, params: &TrainTeacher) -> Result<(), NodeError> {
    let dataset = Dataset::read(context.input(&params.data)?)?;
    let load = |port| AutoencoderKl::load(context.input(port)?, Kind::Float, context.device).map_err(NodeError::from);
    let vae = params.vae.as_ref().map(load).transpose()?.map(Rc::new);
    check(&dataset, vae.as_ref().map(|vae| vae.config()), params)?;
    let text = TextEncoders::of_clip(context.input(&params.text)?, Kind::Float, context.device)?;
    tell_long(context, &text, &dataset.distinct_captions())?;
    let data = Conditioned::encoded(&dataset.train, &text, vae.clone(), context.device)?;
    let config = config(params, data.sample_shape(), text.width());
    let scheduler = scheduler(params.prediction, vae.is_some());
    let schedule = NoiseSchedule::new(&scheduler)?;
    let twin =
        Twin::new(context.device, |vs| UNet2DConditionModel::new(vs, &config), |vs| init_weights(vs, context.seed()))?;
    let recipe =
        Denoising { twin: &twin, schedule: &schedule, data: &data, vae: vae.as_deref(), params, seed: context.seed() };
    let group = Group::main("unet", twin.parameters(), params.lr.get());
    train(context, &params.training(), vec![group], twin.averages(), &recipe)?;
    let parts =
        Parts { unet: (twin.average_store(), &config), text: &text, vae: vae.as_deref(), scheduler: &scheduler };
    model::save(&context.job.output, &parts)
}
