//! The adapters in a file: two halves a module, and no key that fits nothing.

use super::other::{self, Taken};
use super::spelling::{Halves, KOHYA, Names, Part, Said, said};
use super::text::is_text;
use super::{Lora, LoraLayer, LoraTarget, TextTower, likely};
use crate::error::{DiffusionError, KeyReport};
use crate::weights::WeightFile;
use std::collections::BTreeMap;
use tch::{Device, Kind, Tensor};

/// The keys of one module's adapter.
#[derive(Debug)]
pub(super) struct Adapter<'a> {
    /// The module as the file calls it.
    name: &'a str,
    /// The name of the adapter, where keys have it.
    adapter: &'a str,
    halves: Option<&'static Halves>,
    down: Option<&'a str>,
    up: Option<&'a str>,
    alpha: Option<&'a str>,
    /// Of what is no plain LoRA.
    others: BTreeMap<&'static str, &'a str>,
}

impl<'a> Adapter<'a> {
    fn new(said: &Said<'a>) -> Self {
        let (name, adapter, others) = (said.name, said.adapter, BTreeMap::new());
        Self { name, adapter, halves: None, down: None, up: None, alpha: None, others }
    }

    /// Takes a key; `false` if it is not of this adapter: of another name for the module, or spelled otherwise.
    fn take(&mut self, key: &'a str, said: &Said<'a>) -> bool {
        let half = matches!(said.part, Part::Down | Part::Up);
        if self.name != said.name || half && !self.spelled(said) {
            return false;
        }
        match said.part {
            Part::Down => self.down.replace(key),
            Part::Up => self.up.replace(key),
            Part::Alpha => self.alpha.replace(key),
            Part::Other(part) => self.others.insert(part, key),
        }
        .is_none()
    }

    fn spelled(&mut self, said: &Said<'a>) -> bool {
        let Some(halves) = self.halves else {
            (self.halves, self.adapter) = (said.halves, said.adapter);
            return true;
        };
        said.halves.is_some_and(|other| std::ptr::eq(halves, other)) && self.adapter == said.adapter
    }

    /// Whether alpha is the rank where the file has none.
    pub(super) fn rank_is_alpha(&self) -> bool {
        self.halves.is_none_or(|halves| halves.rank_is_alpha)
    }

    /// The halves that are not there, named as they would be.
    fn missing(&self) -> Vec<String> {
        let key = |end: &str| match (self.adapter, end.strip_suffix(".weight")) {
            (adapter, Some(end)) if !adapter.is_empty() => format!("{}{end}.{adapter}.weight", self.name),
            _ => format!("{}{end}", self.name),
        };
        let halves = self.halves.unwrap_or(&KOHYA);
        // A product in place of the halves has parts of its own.
        let product = self.others.keys().any(|part| part.starts_with(".hada_") || part.starts_with(".lokr_"));
        let parts = [(self.down, halves.down), (self.up, halves.up)].into_iter();
        parts.filter(|(there, _)| there.is_none() && !product).map(|(_, end)| key(end)).collect()
    }

    /// The alpha that the file has beside the halves.
    pub(super) fn alpha(&self, file: &WeightFile) -> Result<Option<f64>, DiffusionError> {
        self.alpha.map(|key| number(file, key)).transpose()
    }

    /// The parts besides the halves.
    pub(super) fn others(&self) -> impl Iterator<Item = &'static str> {
        self.others.keys().copied()
    }

    /// The key of a part besides the halves.
    pub(super) fn other(&self, part: &str) -> Option<&'a str> {
        self.others.get(part).copied()
    }
}

/// An adapter and the module that it is for.
pub(super) struct Placed<'a> {
    pub(super) module: &'a str,
    /// Of the module's weight.
    pub(super) shape: &'a [i64],
    pub(super) adapter: Adapter<'a>,
}

/// A LoRA file for a model.
pub(super) struct LoraFile<'a> {
    pub(super) file: &'a WeightFile,
    pub(super) modules: &'a [LoraTarget],
    /// What the modules may be called.
    pub(super) names: Names<'a>,
    pub(super) device: Device,
    /// Whether what is for text encoders is left out.
    pub(super) drops_text: bool,
}

impl LoraFile<'_> {
    /// Reads the adapters of all modules of which the file has some; `alpha` is asked for each.
    pub(super) fn read(
        &self,
        alpha: impl Fn(&Adapter<'_>, &str, f64) -> Result<f64, DiffusionError>,
    ) -> Result<Lora, DiffusionError> {
        let layer = |Placed { module, shape, adapter }: Placed<'_>| {
            let layer = self.plain(&adapter, module, shape, |rank| alpha(&adapter, module, rank));
            Ok((module.to_owned(), layer.map_err(|error| self.at(error))?))
        };
        let layers = self.adapters(Taken::Plain)?.into_iter().map(layer);
        self.checked(Lora { layers: layers.collect::<Result<_, DiffusionError>>()? })
    }

    /// A LoRA's layer. A half of another layout than the module's weight, a linear layer's for a 1×1 convolution or the
    /// other way round, gets the module's: no number differs.
    pub(super) fn plain(
        &self,
        adapter: &Adapter<'_>,
        module: &str,
        shape: &[i64],
        alpha: impl Fn(f64) -> Result<f64, DiffusionError>,
    ) -> Result<LoraLayer, DiffusionError> {
        let (down, up) = self.halves(adapter)?;
        let (down, up) = laid_out(down, up, shape);
        let rank = down.size().first().map_or(0.0, |&rank| rank as f64);
        LoraLayer::checked(module, down, up, alpha(rank)?)
    }

    /// (down, up) as they are stored.
    pub(super) fn halves(&self, adapter: &Adapter<'_>) -> Result<(Tensor, Tensor), DiffusionError> {
        let half = |key: Option<&str>| self.finite(key.unwrap_or_default());
        Ok((half(adapter.down)?, half(adapter.up)?))
    }

    /// A tensor of finite numbers.
    pub(super) fn finite(&self, key: &str) -> Result<Tensor, DiffusionError> {
        self.file.finite_weight(key, self.device)
    }

    /// A LoRA that fits the modules.
    pub(super) fn checked(&self, lora: Lora) -> Result<Lora, DiffusionError> {
        lora.check(self.modules).map_err(|error| self.at(likely::add(error, self.file, self.modules)))?;
        Ok(lora)
    }

    /// The adapters by module, if every key belongs to one, every one is complete, and none is there twice.
    pub(super) fn adapters(&self, taken: Taken) -> Result<Vec<Placed<'_>>, DiffusionError> {
        let keys: Vec<&str> = self.file.keys().filter(|key| !(self.drops_text && is_text(key))).collect();
        let reads_text = self.modules.iter().any(|module| TextTower::split(&module.path).is_some());
        other::refuse(self.file, &keys, taken, reads_text)?;
        let mut report = KeyReport::default();
        let mut found: BTreeMap<&str, Adapter<'_>> = BTreeMap::new();
        for key in keys {
            let of = said(key).and_then(|said| Some((self.names.module(said.name)?, said)));
            let taken = of.is_some_and(|(module, said)| {
                found.entry(module).or_insert_with(|| Adapter::new(&said)).take(key, &said)
            });
            if !taken {
                report.left_over.push(key.to_owned());
            }
        }
        report.missing = found.values().flat_map(Adapter::missing).collect();
        if found.is_empty() && report.is_empty() {
            return Err(DiffusionError::Lora(format!("{} holds no adapter", self.file.path().display())));
        }
        if !report.is_empty() {
            report.likely = likely::reason(self.file, self.modules);
            return Err(DiffusionError::Keys { path: self.file.path().to_owned(), report });
        }
        let mut shapes: BTreeMap<&str, &[i64]> = BTreeMap::new();
        shapes.extend(self.modules.iter().map(|module| (module.path.as_str(), module.shape.as_slice())));
        Ok(found.into_iter().map(|(module, adapter)| Placed { module, shape: shapes[module], adapter }).collect())
    }

    pub(super) fn at(&self, error: DiffusionError) -> DiffusionError {
        at(self.file, error)
    }
}

/// Halves in the layout of a weight of `shape`, if they are those of a 1×1 convolution for a linear layer or the other way
/// round.
pub(super) fn laid_out(down: Tensor, up: Tensor, shape: &[i64]) -> (Tensor, Tensor) {
    let [down, up] = [down, up].map(|half| match half.size().as_slice() {
        [first, second, 1, 1] => half.reshape([*first, *second]),
        _ => half,
    });
    if shape.len() == 2 {
        return (down, up);
    }
    let as_convolution = |half: Tensor| match half.size().as_slice() {
        [first, second] => half.reshape([*first, *second, 1, 1]),
        _ => half,
    };
    (as_convolution(down), as_convolution(up))
}

fn number(file: &WeightFile, key: &str) -> Result<f64, DiffusionError> {
    let tensor = file.tensor(key, Kind::Double, Device::Cpu)?;
    let number = (tensor.numel() == 1).then(|| tensor.double_value(&[])).filter(|number| number.is_finite());
    number.ok_or_else(|| DiffusionError::Lora(format!("{key} is not one finite number")))
}

/// The error of a LoRA that was read from a file.
fn at(file: &WeightFile, error: DiffusionError) -> DiffusionError {
    match error {
        DiffusionError::Lora(message) => DiffusionError::Lora(format!("{}: {message}", file.path().display())),
        error => error,
    }
}
