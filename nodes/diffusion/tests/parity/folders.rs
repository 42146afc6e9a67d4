//! Folders for Python to open: run by hand, see tests/parity/open_folders.py.

use crate::support::input;
use crate::tokenizer::trained;
use hyper_flow_diffusion::clip::{
    ClipConfig, ClipModel, ClipTextConfig, ClipTextModel, ClipTextModelWithProjection, ClipVisionConfig,
    ClipVisionModelWithProjection, load, new, save,
};
use hyper_flow_diffusion::schedulers::{PredictionType, SchedulerConfig};
use hyper_flow_diffusion::weights::write_tensors;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tch::{Device, Kind};

#[test]
#[ignore = "writes for Python into the folder that PARITY_OUT names"]
fn write_folders() {
    let out = PathBuf::from(std::env::var_os("PARITY_OUT").expect("PARITY_OUT names a folder"));
    let tokenizer = trained();
    tokenizer.write(&out.join("tokenizer")).unwrap();
    SchedulerConfig::stable_diffusion(PredictionType::VPrediction).write(&out.join("scheduler")).unwrap();

    let config = config(tokenizer.vocab_size());
    let (vs, clip) = new::<ClipModel>(&config, 11, Device::Cpu).unwrap();
    save::<ClipModel>(&out.join("clip"), &vs, &config).unwrap();
    tokenizer.write(&out.join("clip")).unwrap();
    let (vs, ..) = load::<ClipTextModel>(&out.join("clip"), Kind::Float, Device::Cpu).unwrap();
    save::<ClipTextModel>(&out.join("text_encoder"), &vs, &config.text_config).unwrap();
    let (vs, ..) = load::<ClipTextModelWithProjection>(&out.join("clip"), Kind::Float, Device::Cpu).unwrap();
    save::<ClipTextModelWithProjection>(&out.join("text_encoder_2"), &vs, &config.text_config).unwrap();
    let (vs, ..) = load::<ClipVisionModelWithProjection>(&out.join("clip"), Kind::Float, Device::Cpu).unwrap();
    save::<ClipVisionModelWithProjection>(&out.join("image_encoder"), &vs, &config.vision_config).unwrap();

    let ids = tokenizer.encode_batch(&["a handwritten digit seven", ""], Device::Cpu).unwrap();
    let pixels = input("pixels", &[2, 1, 8, 8]);
    let outputs = BTreeMap::from([
        ("last_hidden_state".to_owned(), clip.text(&ids).last_hidden_state),
        ("text_embeds".to_owned(), clip.text_features(&ids)),
        ("image_embeds".to_owned(), clip.image_features(&pixels)),
        ("logits_per_text".to_owned(), clip.forward(&ids, &pixels).logits_per_text),
        ("ids".to_owned(), ids),
    ]);
    write_tensors(&out.join("outputs.safetensors"), &outputs, None).unwrap();
}

fn config(vocab_size: i64) -> ClipConfig {
    let text_config = ClipTextConfig {
        vocab_size,
        hidden_size: 32,
        intermediate_size: 64,
        projection_dim: 16,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        max_position_embeddings: 24,
        bos_token_id: Some(vocab_size - 2),
        eos_token_id: vocab_size - 1,
        pad_token_id: Some(vocab_size - 1),
        ..Default::default()
    };
    let vision_config = ClipVisionConfig {
        hidden_size: 32,
        intermediate_size: 64,
        projection_dim: 16,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_channels: 1,
        image_size: 8,
        patch_size: 2,
        ..Default::default()
    };
    ClipConfig { text_config, vision_config, projection_dim: 16, ..Default::default() }
}
