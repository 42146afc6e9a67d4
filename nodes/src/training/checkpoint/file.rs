//! One checkpoint. Its name has the step and the digest of its bytes; inside are the tensors, the step once more, and whose
//! training it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use blake3::{Hash, Hasher};
use hyper_flow_diffusion::DiffusionError;
use hyper_flow_diffusion::weights::{Entry, WeightFile, write_tensors};
use tch::{Device, Kind, Tensor, no_grad};

/// What every checkpoint's name begins with.
pub(super) const BEGIN: &str = "checkpoint";
const END: &str = ".safetensors";
/// A checkpoint of the versions before, which kept one and no digest of it.
const OLD: &str = "checkpoint.safetensors";

const STEP: &str = "step";
const JOB: &str = "job";

/// What the name of a checkpoint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// Its step, and the digest of its bytes.
    Held { step: u64, digest: Hash },
    /// Nothing: it is of a version that kept no digest.
    Old,
    /// Nothing that is understood.
    Odd,
}

impl Name {
    /// What a name says, if it is one that a checkpoint could have.
    pub(super) fn of(text: &str) -> Option<Self> {
        if text == OLD {
            return Some(Self::Old);
        }
        let said = text.strip_prefix(BEGIN)?.strip_prefix('-')?.strip_suffix(END)?;
        let parse = |(step, digest): (&str, &str)| {
            Some(Self::Held { step: step.parse().ok()?, digest: Hash::from_hex(digest).ok()? })
        };
        Some(said.split_once('-').and_then(parse).unwrap_or(Self::Odd))
    }

    /// The name of the checkpoint after a step, as [`hyper_flow_spec::checkpoint_step`] reads it.
    pub(super) fn held(step: u64, digest: Hash) -> String {
        format!("{BEGIN}-{step:08}-{digest}{END}")
    }

    /// In the order in which they were written; what says no step comes first.
    pub(super) fn step(self) -> Option<u64> {
        if let Self::Held { step, .. } = self { Some(step) } else { None }
    }
}

/// The digest of a file as it is now.
pub(super) fn digest(path: &Path) -> Result<Hash, DiffusionError> {
    let read = || Ok(Hasher::new().update_reader(File::open(path)?)?.finalize());
    read().map_err(|source| DiffusionError::Io { action: "read", path: path.to_owned(), source })
}

/// Writes the tensors of a training and the step that they belong to.
pub(super) fn write(
    path: &Path,
    job: &str,
    step: u64,
    tensors: &mut BTreeMap<String, Tensor>,
) -> Result<(), DiffusionError> {
    tensors.insert(STEP.to_owned(), Tensor::from(step as i64));
    write_tensors(path, tensors, Some(Entry { name: JOB, text: job }))
}

/// What a checkpoint must be of, to be gone on with.
pub(super) struct Wanted<'a> {
    /// Whose training: any of these.
    pub(super) jobs: &'a [String],
    /// All steps of the training.
    pub(super) steps: u64,
    /// Its tensors, by name.
    pub(super) like: &'a BTreeMap<String, Tensor>,
}

/// A checkpoint that was found to be whole, and the one that is wanted.
pub(super) struct Whole {
    pub(super) step: u64,
    file: WeightFile,
}

impl Whole {
    /// Looks at everything of a checkpoint, and keeps no tensor.
    pub(super) fn find(path: &Path, name: Name, wanted: &Wanted<'_>) -> Result<Self, DiffusionError> {
        let wrong = |why: &str| Err(wrong(path, why));
        // Opened first: it refuses what is no file, and waits for nothing.
        let file = WeightFile::open(path)?;
        let step = match name {
            Name::Odd => return wrong("its name does not have a step and a digest"),
            Name::Old => None,
            Name::Held { digest: noted, .. } if digest(path)? != noted => {
                return wrong("its bytes are not those that were written");
            }
            Name::Held { .. } if file.metadata().get(JOB).is_none_or(|job| !wanted.jobs.contains(job)) => {
                return wrong("it belongs to another training");
            }
            Name::Held { step, .. } => Some(step),
        };
        let inside = step_in(&file)?;
        if step.is_some_and(|step| step != inside) {
            return wrong(&format!("it is of step {inside}, and its name is not"));
        }
        if !(1..=wanted.steps).contains(&inside) {
            return wrong(&format!("it is of step {inside} of a training of {} steps", wanted.steps));
        }
        check_shapes(&file, wanted.like)?;
        if name == Name::Old {
            check_finite(&file)?;
        }
        Ok(Self { step: inside, file })
    }

    /// Reads its tensors, beside the device that has what they are copied into: there may be no room for both there.
    pub(super) fn read(self) -> Result<Checkpoint, DiffusionError> {
        let tensor = |key: &str| Ok((key.to_owned(), self.file.tensor(key, Kind::Float, Device::Cpu)?));
        let tensors: Result<_, DiffusionError> = self.file.keys().filter(|key| *key != STEP).map(tensor).collect();
        Ok(Checkpoint { step: self.step, tensors: tensors? })
    }
}

/// The step that is inside.
fn step_in(file: &WeightFile) -> Result<u64, DiffusionError> {
    let is_number = file.dtype(STEP) == Some(Kind::Int64) && file.shape(STEP).is_some_and(|shape| shape.is_empty());
    if !is_number {
        return Err(wrong(file.path(), "it has no step"));
    }
    Ok(file.tensor(STEP, Kind::Float, Device::Cpu)?.int64_value(&[]) as u64)
}

/// That it holds the names and shapes of `like`, and no other: half a checkpoint must not be restored.
fn check_shapes(file: &WeightFile, like: &BTreeMap<String, Tensor>) -> Result<(), DiffusionError> {
    let differs = |name: &&str| file.shape(name) != like.get(*name).map(Tensor::size);
    let mut names = file.keys().filter(|name| *name != STEP).chain(like.keys().map(String::as_str));
    match names.find(differs) {
        Some(name) => Err(wrong(file.path(), format!("{name} is not as this worker has it"))),
        None => Ok(()),
    }
}

/// That nothing in it is what a training never keeps.
fn check_finite(file: &WeightFile) -> Result<(), DiffusionError> {
    for key in file.keys() {
        if !is_finite(&file.tensor(key, Kind::Float, Device::Cpu)?) {
            return Err(wrong(file.path(), format!("{key} is not finite")));
        }
    }
    Ok(())
}

/// Whether a tensor may be kept.
pub(in super::super) fn is_finite(tensor: &Tensor) -> bool {
    tensor.isfinite().all().int64_value(&[]) == 1
}

/// A checkpoint that was read.
pub(in super::super) struct Checkpoint {
    pub(in super::super) step: u64,
    tensors: BTreeMap<String, Tensor>,
}

impl Checkpoint {
    /// Takes out the tensors under a prefix, without it.
    pub(in super::super) fn take(&mut self, prefix: &str) -> BTreeMap<String, Tensor> {
        let rest = self.tensors.split_off(prefix);
        let (mut taken, mut others) = (BTreeMap::new(), std::mem::take(&mut self.tensors));
        for (name, tensor) in rest {
            match name.strip_prefix(prefix) {
                Some(short) => drop(taken.insert(short.to_owned(), tensor)),
                None => drop(others.insert(name, tensor)),
            }
        }
        self.tensors = others;
        taken
    }
}

/// Copies saved tensors into the places of the same names.
pub(in super::super) fn restore(
    places: &[(String, Tensor)],
    saved: &BTreeMap<String, Tensor>,
) -> Result<(), DiffusionError> {
    for (name, place) in places {
        no_grad(|| place.shallow_clone().f_copy_(&saved[name]))?;
    }
    Ok(())
}

fn wrong(path: &Path, message: impl Into<String>) -> DiffusionError {
    DiffusionError::Config { what: path.display().to_string(), message: message.into() }
}
