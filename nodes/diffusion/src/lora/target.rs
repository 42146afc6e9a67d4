//! The modules that an adapter may sit on.

use crate::DiffusionError;

/// The modules of LCM-LoRA and Hyper-SD: 278 on SD1.5, 788 on SDXL.
pub const LORA_TARGETS: [&str; 14] = [
    "to_q",
    "to_k",
    "to_v",
    "to_out.0",
    "proj_in",
    "proj_out",
    "ff.net.0.proj",
    "ff.net.2",
    "conv1",
    "conv2",
    "conv_shortcut",
    "downsamplers.0.conv",
    "upsamplers.0.conv",
    "time_emb_proj",
];

/// A module that can be adapted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoraTarget {
    /// Its path in the model.
    pub path: String,
    /// The shape of its weight: (out, in) or (out, in, kernel, kernel).
    pub shape: Vec<i64>,
}

impl LoraTarget {
    /// The smaller side of the flattened weight: no larger rank can add anything.
    pub fn max_rank(&self) -> i64 {
        self.shape[0].min(self.shape[1..].iter().product())
    }

    /// Whether `name` names this module: its path, or the end of it after a dot, as in peft.
    fn is_named(&self, name: &str) -> bool {
        self.path.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

/// The modules out of `modules` that `names` name, in the order of `modules`.
///
/// # Errors
/// [`DiffusionError::Lora`] for names that name nothing, unless they are among [`LORA_TARGETS`] (a small model need not
/// have all of those), and if nothing is left.
pub fn select_targets(modules: &[LoraTarget], names: &[&str]) -> Result<Vec<LoraTarget>, DiffusionError> {
    let known = |name: &str| LORA_TARGETS.contains(&name) || modules.iter().any(|m| m.is_named(name));
    let unknown: Vec<_> = names.iter().copied().filter(|name| !known(name)).collect();
    if !unknown.is_empty() {
        return Err(DiffusionError::Lora(format!("no module is named {}", unknown.join(", "))));
    }
    let chosen: Vec<_> = modules.iter().filter(|m| names.iter().any(|name| m.is_named(name))).cloned().collect();
    if chosen.is_empty() {
        return Err(DiffusionError::Lora(format!("the model has none of the modules {}", names.join(", "))));
    }
    Ok(chosen)
}
