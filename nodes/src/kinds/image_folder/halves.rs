//! Which half a picture is of, as far as a folder says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::captions::Described;
use crate::artifacts::dataset::Aside;

/// Where a picture belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    Train,
    HeldOut,
}

impl Half {
    /// What `split` says in a row of metadata.
    pub(super) fn of_split(split: &str) -> Result<Self, String> {
        match split {
            "train" => Ok(Half::Train),
            "held_out" | "validation" | "test" => Ok(Half::HeldOut),
            other => Err(format!("its `split` is {other:?}, and none of train, held_out, validation and test")),
        }
    }

    /// What the name of a folder says, by the words that Hugging Face's datasets know.
    fn of_folder(name: &str) -> Option<Self> {
        match name {
            "train" | "training" => Some(Half::Train),
            "validation" | "valid" | "val" | "dev" | "test" | "testing" | "eval" | "evaluation" => Some(Half::HeldOut),
            _ => None,
        }
    }
}

/// Takes the folders that pictures lie in for their halves, if no metadata says which half they are of, all of them lie in
/// such a folder, and there is one of each half. Says so if there are such folders and they are no halves.
pub(super) fn by_folder(captions: &mut BTreeMap<PathBuf, Described>) -> Option<String> {
    let folder =
        |path: &Path| path.iter().nth(1).and(path.iter().next()).and_then(|name| name.to_str()).map(str::to_owned);
    let half = |path: &Path| folder(path).and_then(|name| Half::of_folder(&name));
    if captions.values().any(|described| described.half.is_some()) {
        return None;
    }
    let halves: Vec<_> = captions.keys().map(|path| half(path)).collect();
    if [Some(Half::Train), Some(Half::HeldOut)].iter().all(|half| halves.contains(half)) && !halves.contains(&None) {
        captions.values_mut().zip(halves).for_each(|(described, half)| described.half = half);
        return None;
    }
    let named: BTreeSet<_> =
        captions.keys().filter(|path| half(path).is_some()).filter_map(|path| folder(path)).collect();
    let all_train = halves.iter().all(|half| *half == Some(Half::Train));
    (!named.is_empty() && !all_train).then(|| {
        let (names, beside) = (Vec::from_iter(named).join(", "), halves.iter().filter(|half| half.is_none()).count());
        let why = if beside > 0 {
            format!("{beside} pictures lie beside them")
        } else {
            "none of them is for training".into()
        };
        format!("the folders {names} are not taken for the halves of the dataset, for {why}: `held_out` decides")
    })
}

/// What is said of the halves of all pictures, or else a share.
pub(super) fn aside(halves: Vec<Option<Half>>, share: f64) -> Aside {
    match halves.into_iter().map(|half| half.map(|half| half == Half::HeldOut)).collect() {
        Some(said) => Aside::These(said),
        None => Aside::Share(share),
    }
}
