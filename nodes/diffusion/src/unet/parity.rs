//! Each kind of block against diffusers: fixtures by tests/parity/unet_blocks.py.

use super::down::DownBlock;
use super::feed_forward::FeedForward;
use super::mid::UNetMidBlock2DCrossAttn;
use super::time::{TimestepEmbedding, sinusoid};
use super::transformer::Transformer2DModel;
use super::transformer_block::BasicTransformerBlock;
use super::up::UpBlock;
use super::{Context, Pass, UNet2DConditionConfig};
use crate::Tape;
use crate::layers::{Attention, ResnetBlock2D, ResnetConfig};
use crate::lora::Adapters;
use crate::parity_support::{TOLERANCE, assert_close, assert_within, config, fill, fixtures, input};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, nn};

/// What comes from below into the blocks on the way up.
const UP_CHANNELS: i64 = 24;

/// A block at its path in a model, and what Python made of it.
struct Case {
    name: String,
    vs: nn::VarStore,
    config: UNet2DConditionConfig,
    expected: BTreeMap<String, Tensor>,
}

impl Case {
    fn new(model: &str, path: &str) -> Self {
        let file = fixtures().join("unet_blocks.safetensors");
        Self {
            name: format!("{model}.{path}"),
            vs: nn::VarStore::new(Device::Cpu),
            config: UNet2DConditionConfig::read(config(model).path()).unwrap(),
            expected: crate::weights::read_tensors(&file, Kind::Float, Device::Cpu).unwrap(),
        }
    }

    fn path(&self) -> nn::Path<'_> {
        self.name.split('.').skip(1).fold(self.vs.root(), |path, part| path / part)
    }

    fn check<'m>(&self, run: impl Fn(&Context<'_, 'm>) -> Tensor) {
        fill(&self.vs);
        let pass = Pass { adapters: &Adapters::none(), tape: &Tape::off() };
        let emb = input("time", &[2, self.config.time_embed_dim()]);
        let text = input("text", &[2, 5, self.config.cross_attention_dim.get(0)]);
        let output = run(&Context { emb, text, pass });
        assert_within(TOLERANCE, &self.name, &output, &self.expected[&self.name]);
    }

    fn check_skips(&self, skips: &[Tensor]) {
        let expected = self.expected.keys().filter(|key| key.starts_with(&format!("{}.skip.", self.name)));
        assert_eq!(expected.count(), skips.len());
        for (i, skip) in skips.iter().enumerate() {
            assert_close(&self.name, skip, &self.expected[&format!("{}.skip.{i}", self.name)]);
        }
    }
}

fn picture(channels: i64) -> Tensor {
    input("x", &[2, channels, 4, 4])
}

fn sequence(channels: i64) -> Tensor {
    input("x", &[2, 16, channels])
}

#[test]
fn timestep_embedding() {
    for model in ["sd15", "variant"] {
        let case = Case::new(model, "time_embedding");
        let layer = TimestepEmbedding::new(&case.path(), 8, 32, case.config.act_fn);
        let timesteps = Tensor::from_slice(&[999i64, 20]);
        let sines = sinusoid(&timesteps, 8, case.config.flip_sin_to_cos, case.config.freq_shift);
        case.check(|context| layer.forward(&sines, context.pass.adapters));
    }
}

#[test]
fn resnet_block() {
    for (model, path, channels, factor) in [
        ("sd15", "down_blocks.0.resnets.0", [8, 8], 1.0),
        ("sd15", "up_blocks.3.resnets.0", [24, 8], 1.0),
        ("variant", "mid_block.resnets.0", [12, 12], 1.5),
    ] {
        let case = Case::new(model, path);
        let config = ResnetConfig { output_scale_factor: factor, ..case.config.resnet() };
        let block = ResnetBlock2D::new(&case.path(), channels[0], channels[1], config);
        case.check(|context| block.forward(&picture(channels[0]), Some(&context.emb), context.pass.adapters));
    }
}

#[test]
fn attention() {
    let block = "down_blocks.0.attentions.0.transformer_blocks.0";
    let case = Case::new("sd15", &format!("{block}.attn1"));
    let layer = Attention::new(&case.path(), 8, 8, 2, false);
    case.check(|context| layer.forward(&sequence(8), &sequence(8), context.pass.adapters));
    let case = Case::new("sd15", &format!("{block}.attn2"));
    let layer = Attention::new(&case.path(), 8, 12, 2, false);
    case.check(|context| layer.forward(&sequence(8), &context.text, context.pass.adapters));
}

#[test]
fn feed_forward() {
    let case = Case::new("sd15", "down_blocks.0.attentions.0.transformer_blocks.0.ff");
    let layer = FeedForward::new(&case.path(), 8);
    case.check(|context| layer.forward(&sequence(8), context.pass.adapters));
}

#[test]
fn basic_transformer_block() {
    let case = Case::new("sd15", "down_blocks.0.attentions.0.transformer_blocks.0");
    let block = BasicTransformerBlock::new(&case.path(), 8, 12, 2);
    case.check(|context| block.forward(&sequence(8), &context.text, context.pass.adapters));
}

#[test]
fn transformer() {
    for (model, path, block) in [("sd15", "down_blocks.0.attentions.0", 0), ("sdxl", "down_blocks.2.attentions.0", 2)] {
        let case = Case::new(model, path);
        let transformer = Transformer2DModel::new(&case.path(), block, &case.config);
        case.check(|context| transformer.forward(&picture(case.config.block_out_channels[block]), context));
    }
}

#[test]
fn down_block() {
    for (model, path, block, channels) in [
        ("sd15", "down_blocks.0", 0, 8),
        ("sd15", "down_blocks.3", 3, 24),
        ("sdxl", "down_blocks.0", 0, 8),
        ("variant", "down_blocks.0", 0, 8),
    ] {
        let case = Case::new(model, path);
        let down = DownBlock::new(&case.path(), block, &case.config);
        case.check(|context| {
            let mut skips = Vec::new();
            let x = down.forward(picture(channels), context, &mut skips);
            case.check_skips(&skips);
            x
        });
    }
}

#[test]
fn mid_block() {
    for (model, channels) in [("sd15", 24), ("variant", 12)] {
        let case = Case::new(model, "mid_block");
        let mid = UNetMidBlock2DCrossAttn::new(&case.path(), &case.config);
        case.check(|context| mid.forward(&picture(channels), context));
    }
}

#[test]
fn up_block() {
    for (path, index, widths) in [("up_blocks.0", 0, [24, 24, 24]), ("up_blocks.1", 1, [24, 24, 16])] {
        let case = Case::new("sd15", path);
        let up = UpBlock::new(&case.path(), index, &case.config);
        case.check(|context| {
            // The block above waits at the bottom of the stack, and with it the size to reach.
            let mut skips = vec![input("above", &[2, 1, 8, 8])];
            skips.extend((0..3).rev().map(|i| input(&format!("skip.{i}"), &[2, widths[i], 4, 4])));
            let x = up.forward(picture(UP_CHANNELS), context, &mut skips);
            assert_eq!(skips.len(), 1);
            x
        });
    }
}
