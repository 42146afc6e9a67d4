//! The text encoders that a LoRA may have parts for, and what files call their modules.

use super::Lora;

/// A text encoder of a model. The paths of its modules in a [`Lora`] are those in transformers' CLIP behind
/// [`prefix`](Self::prefix); all others are the UNet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextTower {
    /// The one of Stable Diffusion 1 and 2.
    Only,
    /// The first of SDXL's two.
    First,
    /// The second of SDXL's two.
    Second,
}

/// What stands before the path of a module of the one or first text encoder, and what for the dots in it.
const FIRST: [(&str, &str); 8] = [
    // kohya's trainers, for one text encoder and for two
    ("lora_te_", "_"),
    ("lora_te1_", "_"),
    // OneTrainer
    ("lora_te.", "."),
    ("lora_te1.", "."),
    // pipelines of diffusers
    ("text_encoder.", "."),
    // peft around a whole pipeline
    ("base_model.model.text_encoder.", "."),
    // ComfyUI
    ("text_encoders.clip_l.transformer.", "."),
    ("text_encoders.clip_h.transformer.", "."),
];
const SECOND: [(&str, &str); 5] = [
    ("lora_te2_", "_"),
    ("lora_te2.", "."),
    ("text_encoder_2.", "."),
    ("base_model.model.text_encoder_2.", "."),
    ("text_encoders.clip_g.transformer.", "."),
];
/// What transformers 5 leaves out of the paths in a bare text encoder.
const BARE: &str = "text_model.";
/// Attention layers as diffusers called them when their adapters were its own.
const PROCESSORS: [(&str, &str); 4] =
    [(".q_proj", ".to_q"), (".k_proj", ".to_k"), (".v_proj", ".to_v"), (".out_proj", ".to_out")];

impl TextTower {
    /// All that a model may have.
    pub const ALL: [Self; 3] = [Self::Only, Self::First, Self::Second];

    /// What the paths of its modules in a [`Lora`] begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Only => "text_encoder.",
            Self::First => "text_encoder_1.",
            Self::Second => "text_encoder_2.",
        }
    }

    /// What they begin with in kohya's files.
    pub(super) const fn kohya(self) -> &'static str {
        match self {
            Self::Only => "lora_te_",
            Self::First => "lora_te1_",
            Self::Second => "lora_te2_",
        }
    }

    /// What they begin with in files of diffusers.
    pub(super) const fn pipeline(self) -> &'static str {
        match self {
            Self::Only | Self::First => "text_encoder.",
            Self::Second => "text_encoder_2.",
        }
    }

    /// Whose a module is, and its path there; `None` for a UNet's.
    pub fn split(path: &str) -> Option<(Self, &str)> {
        Self::ALL.into_iter().find_map(|tower| Some((tower, path.strip_prefix(tower.prefix())?)))
    }

    /// What a module may be called in files.
    pub(super) fn names(self, path: &str) -> Vec<String> {
        let prefixes: &[(&str, &str)] = if self == Self::Second { &SECOND } else { &FIRST };
        let old = PROCESSORS.iter().find_map(|(now, old)| Some(format!("{}{old}", path.strip_suffix(now)?)));
        let paths: Vec<String> = std::iter::once(path.to_owned()).chain(old).collect();
        let bare = paths.iter().filter_map(|path| path.strip_prefix(BARE).map(str::to_owned));
        let all: Vec<String> = paths.iter().cloned().chain(bare).collect();
        let named = |path: &String| {
            let name = |(prefix, dot): &(&str, &str)| format!("{prefix}{}", path.replace('.', dot));
            prefixes.iter().map(name).collect::<Vec<_>>()
        };
        all.iter().flat_map(named).collect()
    }
}

/// A path that names the module whether the text encoder is bare or not.
pub(super) fn bare(path: &str) -> &str {
    path.strip_prefix(BARE).unwrap_or(path)
}

impl Lora {
    /// The part for the UNet; it shares the tensors.
    #[must_use]
    pub fn unet(&self) -> Self {
        self.part(|path| TextTower::split(path).is_none().then_some(path))
    }

    /// The part for a text encoder, by the paths of modules in it; it shares the tensors.
    #[must_use]
    pub fn text(&self, tower: TextTower) -> Self {
        self.part(|path| path.strip_prefix(tower.prefix()))
    }

    /// How many of its modules are of text encoders.
    pub fn text_modules(&self) -> usize {
        self.layers.keys().filter(|path| TextTower::split(path).is_some()).count()
    }

    fn part<'a>(&'a self, own: impl Fn(&'a str) -> Option<&'a str>) -> Self {
        let layers = self.layers.iter();
        let layers = layers.filter_map(|(path, l)| Some((own(path)?.to_owned(), l.map(tch::Tensor::shallow_clone))));
        Self { layers: layers.collect() }
    }
}
