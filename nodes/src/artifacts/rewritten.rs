//! A model folder again: in another number format, with a LoRA in its weights.

use std::fs;
use std::path::Path;

use hyper_flow_diffusion::lora::{Lora, TextTower};
use hyper_flow_diffusion::weights::{WeightFile, rewrite_tensors};
use tch::{Device, Kind, Tensor};

use crate::{NodeError, files};

const UNET: &str = "unet/";
/// Folders of text encoders, and what they may be to a LoRA.
const TEXT: [(&str, TextTower); 3] =
    [("text_encoder/", TextTower::Only), ("text_encoder/", TextTower::First), ("text_encoder_2/", TextTower::Second)];
/// What the keys of a bare text encoder may lack.
const TEXT_MODEL: &str = "text_model.";

/// Writes a model folder again with ΔW added to the weights of its UNet and text encoders. Yields which part of ΔW rounding took away.
pub(crate) fn copy(from: &Path, to: &Path, kind: Option<Kind>, lora: &Lora) -> Result<f64, NodeError> {
    let mut sum = Sum::default();
    let text = TEXT.map(|(folder, tower)| (folder, lora.text(tower)));
    let parts: Vec<(&str, Lora)> = std::iter::once((UNET, lora.unet())).chain(text).collect();
    for path in files::below(from)? {
        let (source, target) = (from.join(&path), to.join(&path));
        if path.ends_with(".safetensors") {
            let lora = parts.iter().filter(|(folder, _)| path.starts_with(folder)).map(|(_, part)| part).collect();
            files::make_parent(&target)?;
            Weights { from: WeightFile::open(&source)?, kind, lora }.write(&target, &mut sum)?;
        } else {
            files::write(&target, fs::read(&source).map_err(NodeError::io("read", &source))?)?;
        }
    }
    if sum.modules == lora.layers.len() {
        return Ok(if sum.added > 0.0 { (sum.lost / sum.added).sqrt() } else { 0.0 });
    }
    let message = format!("it has the weights of {} of the LoRA's {} modules", sum.modules, lora.layers.len());
    Err(NodeError::content(&from.join(UNET), message))
}

/// What was added to weights.
#[derive(Default)]
struct Sum {
    modules: usize,
    /// The squared length of ΔW.
    added: f64,
    /// The squared length of what rounding took of it.
    lost: f64,
}

/// A file of weights to be written again.
struct Weights<'a> {
    from: WeightFile,
    kind: Option<Kind>,
    /// What is added to them.
    lora: Vec<&'a Lora>,
}

impl Weights<'_> {
    /// Writes the file, reads it back and counts what was added.
    fn write(&self, to: &Path, sum: &mut Sum) -> Result<(), NodeError> {
        rewrite_tensors(&self.from, to, self.kind, |key, kind| match self.delta(key) {
            // In fp32, whatever the file has.
            Some(delta) => Ok((self.from.tensor(key, Kind::Float, Device::Cpu)? + delta).to_kind(kind)),
            None => self.from.tensor(key, kind, Device::Cpu),
        })?;
        let written = WeightFile::open(to)?;
        for key in self.from.keys() {
            let Some(delta) = self.delta(key) else { continue };
            let [before, after] = [&self.from, &written].map(|file| file.tensor(key, Kind::Double, Device::Cpu));
            sum.modules += 1;
            sum.lost += norm(&(after? - before? - &delta)).powi(2);
            sum.added += norm(&delta).powi(2);
        }
        Ok(())
    }

    fn delta(&self, key: &str) -> Option<Tensor> {
        let module = key.strip_suffix(".weight")?;
        let names = [module.to_owned(), format!("{TEXT_MODEL}{module}")];
        self.lora.iter().find_map(|lora| names.iter().find_map(|name| lora.delta(name)))
    }
}

/// The length of a tensor taken for one vector.
pub(crate) fn norm(x: &Tensor) -> f64 {
    x.to_kind(Kind::Double).norm().double_value(&[])
}
