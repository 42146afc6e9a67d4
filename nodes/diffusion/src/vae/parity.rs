//! Each kind of block against diffusers: fixtures by tests/parity/vae.py.

use super::AutoencoderKlConfig;
use super::blocks::{DownEncoderBlock2D, MidAttention, UNetMidBlock2D, UpDecoderBlock2D};
use crate::Tape;
use crate::parity_support::{assert_close, config_file, fill, fixture_json, fixtures, input};
use tch::{Device, Kind, Tensor, nn};

/// Checks what `make` makes at `path`, on an input of `channels`.
fn check<B>(
    model: &str,
    path: &str,
    channels: i64,
    make: impl Fn(&nn::Path<'_>, &AutoencoderKlConfig) -> B,
    forward: impl Fn(&B, Tensor) -> Tensor,
) {
    let config = AutoencoderKlConfig::read(config_file(&fixture_json(&format!("vae_{model}"))).path()).unwrap();
    for kind in [Kind::Float, Kind::Double] {
        let mut vs = nn::VarStore::new(Device::Cpu);
        vs.set_kind(kind);
        let block = make(&path.split('.').fold(vs.root(), |vs, part| vs / part), &config);
        fill(&vs);
        let file = fixtures().join("vae_blocks.safetensors");
        let expected = crate::weights::read_tensors(&file, Kind::Float, Device::Cpu).unwrap();
        let (name, x) = (format!("{model}.{path}"), input("x", &[2, channels, 5, 4]).to_kind(kind));
        assert_close(&name, &forward(&block, x), &expected[&name]);
    }
}

#[test]
fn down_encoder_block() {
    for (model, block, channels) in [("sd15", 0, 8), ("sd15", 1, 8), ("sd15", 3, 16), ("variant", 0, 6)] {
        let make = |vs: &nn::Path<'_>, config: &AutoencoderKlConfig| DownEncoderBlock2D::new(vs, block, config);
        check(model, &format!("encoder.down_blocks.{block}"), channels, make, |block, x| block.forward(x));
    }
}

#[test]
fn mid_block() {
    for (model, path, channels) in [("sd15", "encoder.mid_block", 16), ("variant", "decoder.mid_block", 9)] {
        check(model, path, channels, UNetMidBlock2D::new, |block, x| block.forward(&x));
    }
}

#[test]
fn attention_of_the_mid_block() {
    let make = |vs: &nn::Path<'_>, config: &AutoencoderKlConfig| MidAttention::new(vs, 16, config.norm_num_groups);
    check("sd15", "encoder.mid_block.attentions.0", 16, make, |block, x| block.forward(&x));
}

#[test]
fn up_decoder_block() {
    for (model, index, channels) in [("sd15", 0, 16), ("sd15", 2, 16), ("sd15", 3, 12), ("variant", 1, 9)] {
        let make = |vs: &nn::Path<'_>, config: &AutoencoderKlConfig| UpDecoderBlock2D::new(vs, index, config);
        check(model, &format!("decoder.up_blocks.{index}"), channels, make, |block, x| block.forward(x, &Tape::off()));
    }
}
