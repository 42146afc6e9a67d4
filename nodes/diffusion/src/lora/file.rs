//! What the file formats have in common: two halves a module, and no key that fits nothing.

use super::{Lora, LoraLayer, LoraTarget, other};
use crate::error::{DiffusionError, KeyReport};
use crate::weights::WeightFile;
use std::collections::BTreeMap;
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

    pub(super) fn name(&self, module: &str) -> String {
        format!("{}{}", self.prefix, module.replace('.', self.dot))
    }

    /// Reads the adapters of all modules of which the file has some. Where alpha is no tensor or missing, it is the rank.
    pub(super) fn read(
        &self,
        file: &WeightFile,
        modules: &[LoraTarget],
        device: Device,
    ) -> Result<Lora, DiffusionError> {
        let names = modules.iter().map(|module| (self.name(&module.path), module.path.as_str()));
        self.read_named(file, modules, &names.collect(), device)
    }

    /// As [`Self::read`], of a file that calls the modules by these names.
    pub(super) fn read_named(
        &self,
        file: &WeightFile,
        modules: &[LoraTarget],
        names: &BTreeMap<String, &str>,
        device: Device,
    ) -> Result<Lora, DiffusionError> {
        other::refuse(file)?;
        let layer = |(name, module): (&str, &str)| {
            let half = |part| file.weight(&format!("{name}{part}"), Kind::Float, device);
            let (down, up) = (half(self.down)?, half(self.up)?);
            let rank = down.size().first().map_or(0.0, |&rank| rank as f64);
            let alpha = self.alpha_tensor(file, name)?.unwrap_or(rank);
            let layer = LoraLayer::checked(module, down, up, alpha).map_err(|error| at(file, error))?;
            Ok((module.to_owned(), layer))
        };
        let layers = self.present(file, names)?.into_iter().map(layer);
        let lora = Lora { layers: layers.collect::<Result<_, DiffusionError>>()? };
        lora.check(modules).map_err(|error| at(file, error))?;
        Ok(lora)
    }

    /// The modules of which the file has an adapter, by their names, if every key belongs to one, every one is complete,
    /// and none is there twice.
    fn present<'a>(
        &self,
        file: &WeightFile,
        names: &'a BTreeMap<String, &'a str>,
    ) -> Result<BTreeMap<&'a str, &'a str>, DiffusionError> {
        let parts = [Some(self.down), Some(self.up), self.alpha];
        let named = |key: &str| {
            let mut possible = parts.iter().flatten().filter_map(|part| key.strip_suffix(part));
            possible.find_map(|name| names.get_key_value(name))
        };
        let mut report = KeyReport::default();
        let mut found: BTreeMap<&str, &str> = BTreeMap::new();
        for key in file.keys() {
            match named(key).map(|(name, module)| (name.as_str(), *found.entry(module).or_insert(name))) {
                Some((name, first)) if name == first => {}
                _ => report.left_over.push(key.to_owned()),
            }
        }
        let halves = found.values().flat_map(|name| [self.down, self.up].map(|part| format!("{name}{part}")));
        report.missing = halves.filter(|key| file.shape(key).is_none()).collect();
        if found.is_empty() && report.is_empty() {
            return Err(DiffusionError::Lora(format!("{} holds no adapter", file.path().display())));
        }
        if !report.is_empty() {
            return Err(DiffusionError::Keys { path: file.path().to_owned(), report });
        }
        Ok(found.into_iter().map(|(module, name)| (name, module)).collect())
    }

    fn alpha_tensor(&self, file: &WeightFile, name: &str) -> Result<Option<f64>, DiffusionError> {
        let key = self.alpha.map(|part| format!("{name}{part}")).filter(|key| file.shape(key).is_some());
        key.map(|key| {
            let tensor = file.tensor(&key, Kind::Double, Device::Cpu)?;
            let one = tensor.numel() == 1;
            one.then(|| tensor.double_value(&[]))
                .ok_or_else(|| at(file, DiffusionError::Lora(format!("{key} is not one number"))))
        })
        .transpose()
    }
}

/// The error of a LoRA that was read from a file.
fn at(file: &WeightFile, error: DiffusionError) -> DiffusionError {
    match error {
        DiffusionError::Lora(message) => DiffusionError::Lora(format!("{}: {message}", file.path().display())),
        error => error,
    }
}
