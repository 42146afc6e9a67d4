//! Each kind of block against diffusers and peft: fixtures by tests/parity/unet_blocks.py.

use super::down::DownBlock;
use super::feed_forward::FeedForward;
use super::mid::UNetMidBlock2DCrossAttn;
use super::time::{TimestepEmbedding, sinusoid};
use super::transformer::Transformer2DModel;
use super::transformer_block::BasicTransformerBlock;
use super::up::UpBlock;
use super::{Context, Pass, UNet2DConditionConfig};
use crate::Tape;
use crate::layers::{Activation, Attention, ResnetBlock2D, ResnetConfig};
use crate::lora::{Adapters, LORA_TARGETS, Lora, LoraTarget, select_targets};
use crate::parity_support::{assert_close, assert_gradients, config, fill, fixtures, input, lora_weight, sketch};
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor, nn, no_grad};

/// Height and width of a picture.
const SIZE: [i64; 2] = [4, 3];

/// A block at its path in a model, and what Python made of it.
struct Case {
    model: &'static str,
    path: String,
    vs: nn::VarStore,
    config: UNet2DConditionConfig,
    expected: BTreeMap<String, Tensor>,
}

/// All blocks of one kind: those whose path ends with this name, perhaps with a number after it. Each in float32 and in
/// float64.
fn cases(kind: &str) -> Vec<Case> {
    let models = ["sd15", "sd21", "sdxl", "variant"].into_iter();
    let cases: Vec<_> = models
        .flat_map(|model| [Kind::Float, Kind::Double].map(|dtype| of_model(model, kind, dtype)))
        .flatten()
        .collect();
    assert!(!cases.is_empty(), "{kind}");
    cases
}

fn of_model(model: &'static str, kind: &str, dtype: Kind) -> Vec<Case> {
    let file = fixtures().join(format!("unet_blocks_{model}.safetensors"));
    let tensors = crate::weights::read_tensors(&file, Kind::Float, Device::Cpu).unwrap();
    let case = |path: &String| {
        let mut vs = nn::VarStore::new(Device::Cpu);
        vs.set_kind(dtype);
        let config = UNet2DConditionConfig::read(config(model).path()).unwrap();
        let expected = tensors.iter().map(|(key, tensor)| (key.clone(), tensor.shallow_clone())).collect();
        Case { model, path: path.clone(), vs, config, expected }
    };
    let last_name = |path: &str| path.split('.').rfind(|name| name.parse::<usize>().is_err()).map(str::to_owned);
    tensors.keys().filter(|key| last_name(key).as_deref() == Some(kind)).map(case).collect()
}

impl Case {
    fn path(&self) -> nn::Path<'_> {
        self.path.split('.').fold(self.vs.root(), |path, part| path / part)
    }

    /// The number of the block that the case is or lies in, counted from the input inwards.
    fn block(&self) -> usize {
        let (first, number) = self.path.split_once('.').unwrap_or((&self.path, ""));
        let number = number.split('.').next().and_then(|number| number.parse().ok()).unwrap_or(0);
        match first {
            "down_blocks" => number,
            "up_blocks" => self.config.blocks() - 1 - number,
            _ => self.config.blocks() - 1,
        }
    }

    fn channels(&self) -> i64 {
        self.config.block_out_channels[self.block()]
    }

    /// The channels of the block before this one, and of the one after it.
    fn neighbours(&self) -> (i64, i64) {
        let (widths, block) = (&self.config.block_out_channels, self.block());
        (widths[block.saturating_sub(1)], widths[(block + 1).min(widths.len() - 1)])
    }

    fn heads(&self) -> i64 {
        self.config.attention_head_dim.get(self.block())
    }

    fn text_dim(&self) -> i64 {
        self.config.cross_attention_dim.get(self.block())
    }

    fn picture(&self) -> Tensor {
        self.picture_of("x", self.channels())
    }

    fn picture_of(&self, name: &str, channels: i64) -> Tensor {
        self.input(name, &[2, channels, SIZE[0], SIZE[1]])
    }

    fn input(&self, name: &str, shape: &[i64]) -> Tensor {
        input(name, shape).to_kind(self.vs.kind())
    }

    fn sequence(&self) -> Tensor {
        self.input("x", &[2, SIZE[0] * SIZE[1], self.channels()])
    }

    /// Output, then output and gradients with LoRA.
    fn check<B>(&self, block: &B, run: impl for<'m> Fn(&'m B, &Context<'_, 'm>) -> Tensor) {
        fill(&self.vs);
        self.assert(&self.path, &self.with(&Adapters::none(), block, &run));
        let Some(lora) = self.lora() else { return };
        let output = self.with(&Adapters::one(&lora), block, &run);
        self.assert(&format!("{}.lora", self.path), &sketch("output", &output).to_kind(output.kind()));
        (&output * input("loss", &output.size())).sum(output.kind()).backward();
        assert_gradients(&gradients(&lora), &self.expected[&format!("{}.grads", self.path)]);
    }

    fn assert(&self, key: &str, ours: &Tensor) {
        assert_close(&format!("{} {key}", self.model), ours, &self.expected[key]);
    }

    fn check_skips(&self, skips: &[Tensor]) {
        let prefix = format!("{}.skip.", self.path);
        assert_eq!(self.expected.keys().filter(|key| key.starts_with(&prefix)).count(), skips.len());
        for (i, skip) in skips.iter().enumerate() {
            self.assert(&format!("{prefix}{i}"), skip);
        }
    }

    fn with<'m, B>(
        &self,
        adapters: &Adapters<'m>,
        block: &'m B,
        run: impl FnOnce(&'m B, &Context<'_, 'm>) -> Tensor,
    ) -> Tensor {
        let emb = self.input("time", &[2, self.config.time_embed_dim()]);
        let text = self.input("text", &[2, 5, self.text_dim()]);
        run(block, &Context { emb, text, pass: Pass { adapters, tape: &Tape::off() } })
    }

    /// The adapter of the formula on all target modules of the block, if it has any.
    fn lora(&self) -> Option<Lora> {
        let variables = self.vs.variables();
        let modules = variables.iter().filter_map(|(name, tensor)| {
            Some(LoraTarget { path: name.strip_suffix(".weight")?.to_owned(), shape: tensor.size() })
        });
        let modules: Vec<_> = modules.filter(|module| module.shape.len() > 1).collect();
        let targets: Vec<_> = LORA_TARGETS.iter().filter_map(|name| select_targets(&modules, &[name]).ok()).collect();
        let targets = targets.concat();
        let (lora, _) = Lora::new(&targets, 2, 3.0, 0);
        for (path, layer) in &lora.layers {
            for (part, tensor) in [("down", &layer.down), ("up", &layer.up)] {
                no_grad(|| tensor.shallow_clone().copy_(&lora_weight(path, part, &tensor.size())));
            }
        }
        (!targets.is_empty()).then(|| lora.to_kind(self.vs.kind()).requires_grad(true))
    }
}

fn gradients(lora: &Lora) -> Vec<(String, Tensor)> {
    let parts = lora.layers.iter().flat_map(|(path, layer)| [(path, "down", &layer.down), (path, "up", &layer.up)]);
    parts.map(|(path, part, tensor)| (format!("{path}.{part}"), tensor.grad())).collect()
}

#[test]
fn time_embedding() {
    for case in cases("time_embedding") {
        let (first, dim) = (case.config.block_out_channels[0], case.config.time_embed_dim());
        let layer = TimestepEmbedding::new(&case.path(), first, dim, case.config.act_fn);
        let timesteps = Tensor::from_slice(&[999i64, 20]);
        let sines = sinusoid(&timesteps, first, case.config.flip_sin_to_cos, case.config.freq_shift);
        let sines = sines.to_kind(case.vs.kind());
        case.check(&layer, |layer, context| layer.forward(&sines, context.pass.adapters));
    }
}

#[test]
fn add_embedding() {
    for case in cases("add_embedding") {
        let dim = case.config.projection_class_embeddings_input_dim.unwrap();
        let layer = TimestepEmbedding::new(&case.path(), dim, case.config.time_embed_dim(), Activation::Silu);
        case.check(&layer, |layer, context| layer.forward(&case.input("added", &[2, dim]), context.pass.adapters));
    }
}

#[test]
fn resnet_block() {
    for case in cases("resnets") {
        let (before, after) = case.neighbours();
        let (channels, mut config) = (case.channels(), case.config.resnet());
        let from = match case.path.split('.').next() {
            Some("down_blocks") => before,
            Some("up_blocks") => after + channels,
            _ => {
                config = ResnetConfig { output_scale_factor: case.config.mid_block_scale_factor, ..config };
                channels
            }
        };
        let block = ResnetBlock2D::new(&case.path(), from, channels, config);
        let x = case.picture_of("x", from);
        case.check(&block, |block, context| block.forward(&x, Some(&context.emb), context.pass.adapters));
    }
}

#[test]
fn attention_to_itself() {
    for case in cases("attn1") {
        let layer = Attention::new(&case.path(), case.channels(), case.channels(), case.heads(), false);
        let x = case.sequence();
        case.check(&layer, |layer, context| layer.forward(&x, &x, context.pass.adapters));
    }
}

#[test]
fn attention_to_the_text() {
    for case in cases("attn2") {
        let layer = Attention::new(&case.path(), case.channels(), case.text_dim(), case.heads(), false);
        let x = case.sequence();
        case.check(&layer, |layer, context| layer.forward(&x, &context.text, context.pass.adapters));
    }
}

#[test]
fn feed_forward() {
    for case in cases("ff") {
        let layer = FeedForward::new(&case.path(), case.channels());
        case.check(&layer, |layer, context| layer.forward(&case.sequence(), context.pass.adapters));
    }
}

#[test]
fn basic_transformer_block() {
    for case in cases("transformer_blocks") {
        let block = BasicTransformerBlock::new(&case.path(), case.channels(), case.text_dim(), case.heads());
        let x = case.sequence();
        case.check(&block, |block, context| block.forward(&x, &context.text, context.pass.adapters));
    }
}

#[test]
fn transformer() {
    for case in cases("attentions") {
        let transformer = Transformer2DModel::new(&case.path(), case.block(), &case.config);
        case.check(&transformer, |transformer, context| transformer.forward(&case.picture(), context));
    }
}

#[test]
fn down_block() {
    for case in cases("down_blocks") {
        let block = DownBlock::new(&case.path(), case.block(), &case.config);
        let x = case.picture_of("x", case.neighbours().0);
        case.check(&block, |block, context| block.forward(x.shallow_clone(), context, &mut Vec::new()));
        let mut skips = Vec::new();
        let _ = case
            .with(&Adapters::none(), &block, |block, context| block.forward(x.shallow_clone(), context, &mut skips));
        case.check_skips(&skips);
    }
}

#[test]
fn mid_block() {
    for case in cases("mid_block") {
        let block = UNetMidBlock2DCrossAttn::new(&case.path(), &case.config);
        case.check(&block, |block, context| block.forward(&case.picture(), context));
    }
}

#[test]
fn up_block() {
    for case in cases("up_blocks") {
        let index = case.config.blocks() - 1 - case.block();
        let block = UpBlock::new(&case.path(), index, &case.config);
        let ((above, below), layers) = (case.neighbours(), case.config.layers_per_block.get(case.block()) + 1);
        case.check(&block, |block, context| {
            // The block above waits at the bottom of the stack, and with it the size to reach.
            let mut skips = vec![case.input("above", &[2, 1, 2 * SIZE[0], 2 * SIZE[1]])];
            let width = |i| if i == layers - 1 { above } else { case.channels() };
            skips.extend((0..layers).rev().map(|i| case.picture_of(&format!("skip.{i}"), width(i))));
            let x = block.forward(case.picture_of("x", below), context, &mut skips);
            assert_eq!(skips.len(), 1);
            x
        });
    }
}
