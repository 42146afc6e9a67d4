//! How files of adapters call a module and the parts of its adapter: one table for all programs that write them.
//!
//! A key is prefix, module and part. Which of them belong together is not asked: files that mix them are read, too.

use super::checkpoint::Checkpoint;
use super::{LoraTarget, TextTower};
use std::collections::BTreeMap;

/// What stands before a module's path, and what for the dots in it.
const PREFIXES: [(&str, &str); 8] = [
    // kohya's trainers and LyCORIS
    ("lora_unet_", "_"),
    // SimpleTuner's LyCORIS files
    ("lycoris_", "_"),
    // OneTrainer
    ("lora_unet.", "."),
    // pipelines of diffusers (`save_lora_weights`)
    ("unet.", "."),
    // peft (`PeftModel.save_pretrained`)
    ("base_model.model.", "."),
    // peft around a whole pipeline
    ("base_model.model.unet.", "."),
    // ComfyUI
    ("diffusion_model.", "."),
    // models of diffusers (`save_lora_adapter`, and in 2023 `save_attn_procs`)
    ("", "."),
];

/// What the halves are called, behind the module.
#[derive(Debug)]
pub(super) struct Halves {
    pub(super) down: &'static str,
    pub(super) up: &'static str,
    /// Whether a file in which a module has no alpha says by that that it is the rank. Elsewhere nothing is said.
    pub(super) rank_is_alpha: bool,
}

const fn halves(down: &'static str, up: &'static str) -> Halves {
    Halves { down, up, rank_is_alpha: false }
}

pub(super) const KOHYA: Halves = Halves { rank_is_alpha: true, ..halves(".lora_down.weight", ".lora_up.weight") };
pub(super) const PEFT: Halves = halves(".lora_A.weight", ".lora_B.weight");
const HALVES: [Halves; 6] = [
    KOHYA,
    PEFT,
    // diffusers' training scripts since late 2023
    halves(".lora.down.weight", ".lora.up.weight"),
    // and those before: `….processor.to_q_lora.down.weight`
    halves("_lora.down.weight", "_lora.up.weight"),
    // as diffusers has it for text encoders
    halves(".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
    // parameters in place of layers
    halves(".lora_A", ".lora_B"),
];
const ALPHAS: [&str; 2] = ["_lora.alpha", ALPHA];
pub(super) const ALPHA: &str = ".alpha";

/// Parts of adapters that are no plain LoRA: of three factors, DoRA, LoHa and LoKr.
const OTHERS: [&str; 18] = [
    ".lora_mid.weight",
    ".dora_scale",
    ".lora_magnitude_vector",
    ".lora_magnitude_vector.weight",
    ".hada_w1_a",
    ".hada_w1_b",
    ".hada_w2_a",
    ".hada_w2_b",
    ".hada_t1",
    ".hada_t2",
    ".lokr_w1",
    ".lokr_w2",
    ".lokr_w1_a",
    ".lokr_w1_b",
    ".lokr_w2_a",
    ".lokr_w2_b",
    ".lokr_t1",
    ".lokr_t2",
];

/// A part of an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Down,
    Up,
    Alpha,
    Other(&'static str),
}

/// What a key says.
#[derive(Debug)]
pub(super) struct Said<'a> {
    /// The module as the file calls it.
    pub(super) name: &'a str,
    pub(super) part: Part,
    /// How the half is called; none for other parts.
    pub(super) halves: Option<&'static Halves>,
    /// The name of an adapter, which peft puts into keys in memory and some write: `.lora_A.default.weight`.
    pub(super) adapter: &'a str,
}

/// Takes a key apart; `None` if it is none of an adapter's.
pub(super) fn said(key: &str) -> Option<Said<'_>> {
    let half = |halves: &'static Halves| {
        let found = |part, name| Said { name, part, halves: Some(halves), adapter: "" };
        let (down, up) = (key.strip_suffix(halves.down), key.strip_suffix(halves.up));
        down.map(|name| found(Part::Down, name)).or_else(|| up.map(|name| found(Part::Up, name)))
    };
    let single = |name, part| Said { name, part, halves: None, adapter: "" };
    let alpha = |end: &&str| Some(single(key.strip_suffix(end)?, Part::Alpha));
    let other = |end: &&'static str| Some(single(key.strip_suffix(end)?, Part::Other(end)));
    let said = HALVES.iter().find_map(half).or_else(|| ALPHAS.iter().find_map(alpha));
    said.or_else(|| OTHERS.iter().find_map(other)).or_else(|| with_adapter(key))
}

fn with_adapter(key: &str) -> Option<Said<'_>> {
    let (rest, adapter) = key.strip_suffix(".weight")?.rsplit_once('.')?;
    let parts = [(Part::Down, ".lora_A"), (Part::Up, ".lora_B")];
    let (part, name) = parts.into_iter().find_map(|(part, end)| Some((part, rest.strip_suffix(end)?)))?;
    Some(Said { name, part, halves: Some(&PEFT), adapter })
}

/// The names that modules may have in a file.
#[derive(Debug, Default)]
pub(super) struct Names<'a>(BTreeMap<String, &'a str>);

impl<'a> Names<'a> {
    /// In all spellings.
    pub(super) fn all(modules: &'a [LoraTarget]) -> Self {
        let checkpoint = Checkpoint::of(modules);
        let mut names = BTreeMap::new();
        for LoraTarget { path, .. } in modules {
            let there = match TextTower::split(path) {
                Some((tower, module)) => tower.names(module),
                None => unet_names(path, &checkpoint),
            };
            names.extend(there.into_iter().map(|name| (name, path.as_str())));
        }
        Self(names)
    }

    /// As kohya's trainers spell the paths of diffusers.
    pub(super) fn kohya(modules: &'a [LoraTarget]) -> Self {
        Self(modules.iter().map(|module| (kohya(&module.path), module.path.as_str())).collect())
    }

    /// The module of this name.
    pub(super) fn module(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }
}

/// What a module of a UNet may be called.
fn unet_names(path: &str, checkpoint: &Checkpoint<'_>) -> Vec<String> {
    let paths = [Some(path.to_owned()), checkpoint.name(path)].into_iter().flatten().chain(processors(path));
    let named = |path: String| PREFIXES.map(|(prefix, dot)| format!("{prefix}{}", path.replace('.', dot)));
    paths.flat_map(named).collect()
}

/// A module in kohya's spelling.
pub(super) fn kohya(path: &str) -> String {
    let (prefix, module) = TextTower::split(path).map_or((KOHYA_PREFIX, path), |(tower, own)| (tower.kohya(), own));
    format!("{prefix}{}", module.replace('.', "_"))
}

/// The path of a module of kohya's spelling, as far as that tells: the dots behind its prefix stay what they became.
pub(super) fn of_kohya(name: &str) -> Option<String> {
    let text = |tower: TextTower| Some(format!("{}{}", tower.prefix(), name.strip_prefix(tower.kohya())?));
    TextTower::ALL.into_iter().find_map(text).or_else(|| name.strip_prefix(KOHYA_PREFIX).map(str::to_owned))
}

/// What stands before a module's path in files of diffusers, and that path.
pub(super) fn pipeline(path: &str) -> (&'static str, &str) {
    TextTower::split(path).map_or((PIPELINE_PREFIX, path), |(tower, own)| (tower.pipeline(), own))
}

const KOHYA_PREFIX: &str = PREFIXES[0].0;
pub(super) const PIPELINE_PREFIX: &str = PREFIXES[3].0;

/// An attention layer as it was called when its adapter was one of its processor; an output layer was no list then.
fn processors(path: &str) -> Vec<String> {
    let Some((attention, layer)) = path.rsplit_once(".to_") else { return Vec::new() };
    let layer = layer.strip_suffix(".0").map_or(vec![layer], |short| vec![layer, short]);
    let ways = [".", ".processor."].into_iter();
    ways.flat_map(|way| layer.iter().map(move |layer| format!("{attention}{way}to_{layer}"))).collect()
}
