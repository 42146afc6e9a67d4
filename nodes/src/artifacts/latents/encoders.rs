//! Of which VAE and text encoders latents are: two models whose encoders compute the same have the same digests.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use blake3::Hasher;
use hyper_flow_diffusion::ModelIndex;
use hyper_flow_diffusion::clip::ClipTextConfig;
use hyper_flow_diffusion::vae::AutoencoderKlConfig;
use serde::{Deserialize, Serialize};

use crate::{NodeError, files};

/// Digests of all that a model's VAE and text encoders compute by: weights, tokenizers, and what their configurations
/// mean. Names and versions in these do not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Encoders {
    pub(crate) vae: String,
    pub(crate) text: String,
}

impl Encoders {
    /// Those of a model folder with a VAE. Reads the weights through, which takes about a second a gigabyte, and no memory.
    pub(crate) fn of(model: &Path) -> Result<Self, NodeError> {
        let index = ModelIndex::read(model)?;
        let mut vae = Hasher::new();
        add_json(&mut vae, &AutoencoderKlConfig::read(&model.join("vae/config.json"))?)?;
        add_files(&mut vae, &model.join("vae"), "safetensors")?;
        let mut text = Hasher::new();
        add_json(&mut text, &(index.text_encoder_2, index.force_zeros_for_empty_prompt))?;
        let second = index.text_encoder_2.then_some(["text_encoder_2", "tokenizer_2"]);
        for [encoder, tokenizer] in std::iter::once(["text_encoder", "tokenizer"]).chain(second) {
            add_json(&mut text, &files::read_json::<ClipTextConfig>(&model.join(encoder).join("config.json"))?)?;
            add_files(&mut text, &model.join(encoder), "safetensors")?;
            add_files(&mut text, &model.join(tokenizer), "json")?;
            add_files(&mut text, &model.join(tokenizer), "txt")?;
        }
        Ok(Self { vae: vae.finalize().to_string(), text: text.finalize().to_string() })
    }

    /// Which of the encoders are others, in words; `None` if all are the same.
    pub(crate) fn difference(&self, other: &Self) -> Option<&'static str> {
        match (self.vae == other.vae, self.text == other.text) {
            (true, true) => None,
            (false, true) => Some("another VAE"),
            (true, false) => Some("other text encoders"),
            (false, false) => Some("another VAE and other text encoders"),
        }
    }
}

fn add_json(hasher: &mut Hasher, value: &impl Serialize) -> Result<(), NodeError> {
    let bytes = serde_json::to_vec(value).map_err(|e| NodeError::Unfit(e.to_string()))?;
    add(hasher, &bytes[..], bytes.len() as u64).map_err(|e| NodeError::Unfit(e.to_string()))
}

/// All files of a folder whose names end so, in order of their names.
fn add_files(hasher: &mut Hasher, folder: &Path, extension: &str) -> Result<(), NodeError> {
    let paths = files::list(folder)?;
    for path in paths.iter().filter(|path| path.extension().is_some_and(|found| found == extension)) {
        let file = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        file.and_then(|(length, file)| add(hasher, file, length)).map_err(NodeError::io("read", path))?;
    }
    Ok(())
}

/// The length first, so that no two sequences of pieces are one.
fn add(hasher: &mut Hasher, piece: impl io::Read, length: u64) -> io::Result<()> {
    hasher.write_all(&length.to_le_bytes())?;
    hasher.update_reader(piece).map(drop)
}
