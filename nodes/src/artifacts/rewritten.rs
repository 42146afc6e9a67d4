//! A model folder again: in another number format, with a LoRA in its weights.

use std::fs;
use std::path::Path;

use hyper_flow_diffusion::lora::Lora;
use hyper_flow_diffusion::weights::{WeightFile, rewrite_tensors};
use tch::{Device, Kind, Tensor};

use crate::{NodeError, files};

const UNET: &str = "unet/";

/// Writes a model folder again with ΔW added to the weights of its UNet. Yields which part of ΔW rounding took away.
pub(crate) fn copy(from: &Path, to: &Path, kind: Option<Kind>, lora: &Lora) -> Result<f64, NodeError> {
    let mut sum = Sum::default();
    for path in files::below(from)? {
        let (source, target) = (from.join(&path), to.join(&path));
        if path.ends_with(".safetensors") {
            let lora = path.starts_with(UNET).then_some(lora);
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
    lora: Option<&'a Lora>,
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
        self.lora?.delta(key.strip_suffix(".weight")?)
    }
}

/// The length of a tensor taken for one vector.
pub(crate) fn norm(x: &Tensor) -> f64 {
    x.to_kind(Kind::Double).norm().double_value(&[])
}
