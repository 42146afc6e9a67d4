//! What the file formats have in common: two halves a module, and no key that fits nothing.

use super::{Lora, LoraLayer, LoraTarget, other};
use crate::error::{DiffusionError, KeyReport};
use crate::weights::WeightFile;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Device, Kind};

/// How a format names a module and the parts of its adapter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    /// What stands before a module's path.
    pub(super) prefix: &'static str,
    /// What stands for the dots in it.
    pub(super) dot: &'static str,
    pub(super) down: &'static str,
    pub(super) up: &'static str,
    /// Where alpha is a tensor.
    pub(super) alpha: Option<&'static str>,
}

impl Format {
    pub(super) fn key(&self, module: &str, part: &str) -> String {
        format!("{}{part}", self.name(module))
    }

    fn name(&self, module: &str) -> String {
        format!("{}{}", self.prefix, module.replace('.', self.dot))
    }

    /// Reads the adapters of all modules of which the file has some. Where alpha is no tensor or missing, it is the rank.
    pub(super) fn read(
        &self,
        file: &WeightFile,
        modules: &[LoraTarget],
        device: Device,
    ) -> Result<Lora, DiffusionError> {
        other::refuse(file)?;
        let present = self.present(file, modules)?;
        let layer = |module: &str| {
            let half = |part| file.tensor(&self.key(module, part), Kind::Float, device);
            let (down, up) = (half(self.down)?, half(self.up)?);
            let rank = down.size().first().map_or(0.0, |&rank| rank as f64);
            let alpha = self.alpha_tensor(file, module)?.unwrap_or(rank);
            LoraLayer::checked(module, down, up, alpha)
        };
        let layers = present.into_iter().map(|module| Ok((module.to_owned(), layer(module)?)));
        let lora = Lora { layers: layers.collect::<Result<_, DiffusionError>>()? };
        lora.check(modules)?;
        Ok(lora)
    }

    /// The modules of which the file has an adapter, if every key belongs to one and every one is complete.
    fn present<'a>(&self, file: &WeightFile, modules: &'a [LoraTarget]) -> Result<BTreeSet<&'a str>, DiffusionError> {
        let known: BTreeMap<_, _> = modules.iter().map(|m| (self.name(&m.path), m.path.as_str())).collect();
        let parts = [Some(self.down), Some(self.up), self.alpha];
        let module_of = |key: &str| {
            let mut names = parts.iter().flatten().filter_map(|part| key.strip_suffix(part));
            names.find_map(|name| known.get(name).copied())
        };
        let mut report = KeyReport::default();
        let mut present = BTreeSet::new();
        for key in file.keys() {
            match module_of(key) {
                Some(module) => _ = present.insert(module),
                None => report.left_over.push(key.to_owned()),
            }
        }
        let halves = present.iter().flat_map(|module| [self.down, self.up].map(|part| self.key(module, part)));
        report.missing = halves.filter(|key| file.shape(key).is_none()).collect();
        if present.is_empty() && report.is_empty() {
            return Err(DiffusionError::Lora(format!("{} holds no adapter", file.path().display())));
        }
        if report.is_empty() { Ok(present) } else { Err(DiffusionError::Keys { path: file.path().to_owned(), report }) }
    }

    fn alpha_tensor(&self, file: &WeightFile, module: &str) -> Result<Option<f64>, DiffusionError> {
        let key = self.alpha.map(|part| self.key(module, part)).filter(|key| file.shape(key).is_some());
        key.map(|key| {
            let tensor = file.tensor(&key, Kind::Double, Device::Cpu)?;
            let one = tensor.numel() == 1;
            one.then(|| tensor.double_value(&[]))
                .ok_or_else(|| DiffusionError::Lora(format!("{key} is not one number")))
        })
        .transpose()
    }
}
