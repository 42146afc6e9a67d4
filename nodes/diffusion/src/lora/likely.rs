//! Why a file may not fit a model, as far as its names and shapes tell.

use super::LoraTarget;
use crate::DiffusionError;
use crate::weights::WeightFile;

/// Parts of keys and what a file with them is.
const SIGNS: [(&[&str], &str); 4] = [
    (
        &[".weight_scale", ".scale_weight", "scaled_fp8"],
        "its halves are fp8 with scales beside them, which are not read: save it in fp16",
    ),
    (&["lora_controlnet"], "it is a control LoRA, which needs a picture to draw by"),
    (
        &[
            "double_blocks",
            "single_blocks",
            "single_transformer_blocks",
            "joint_blocks",
            "lora_transformer_",
            "double_layers",
        ],
        "it is for a transformer such as Flux or Stable Diffusion 3, not for a UNet",
    ),
    (&["transformer."], "it is for a transformer such as Flux or Stable Diffusion 3, not for a UNet"),
];
/// The widths of texts in cross attention.
const TEXTS: [(i64, &str); 3] = [(768, "Stable Diffusion 1"), (1024, "Stable Diffusion 2"), (2048, "SDXL")];

/// The likely reason that keys or shapes of a LoRA do not fit.
pub(super) fn reason(file: &WeightFile, modules: &[LoraTarget]) -> Option<String> {
    let has = |parts: &[&str]| file.keys().any(|key| parts.iter().any(|part| has_part(key, part)));
    let sign = SIGNS.iter().find(|(parts, _)| has(parts)).map(|(_, reason)| (*reason).to_owned());
    sign.or_else(|| texts(file, modules)).or_else(|| structure(file, modules))
}

/// The error of a LoRA with its likely reason.
pub(super) fn add(error: DiffusionError, file: &WeightFile, modules: &[LoraTarget]) -> DiffusionError {
    match (error, reason(file, modules)) {
        (DiffusionError::Lora(message), Some(reason)) => DiffusionError::Lora(format!("{message}; likely {reason}")),
        (error, _) => error,
    }
}

/// A word is one part of a key only at its beginning: `transformer.` is a prefix.
fn has_part(key: &str, part: &str) -> bool {
    if part == "transformer." { key.starts_with(part) } else { key.contains(part) }
}

/// Its cross attention takes texts of another width.
fn texts(file: &WeightFile, modules: &[LoraTarget]) -> Option<String> {
    let own = modules.iter().find(|module| module.path.ends_with("attn2.to_k"))?.shape[1];
    let is_key =
        |key: &&str| ["attn2_to_k.", "attn2.to_k.", "attn2.processor.to_k_"].iter().any(|part| key.contains(part));
    let is_down = |key: &&str| key.contains("down.weight") || key.contains("lora_A");
    let key = file.keys().filter(is_key).find(is_down)?;
    let found = file.shape(key)?.get(1).copied()?;
    let named = |width: i64| {
        let name = TEXTS.iter().find(|(known, _)| *known == width).map(|(_, name)| format!(" ({name})"));
        format!("{width}{}", name.unwrap_or_default())
    };
    (found != own).then(|| {
        format!(
            "it is for another model: its cross attention takes texts of {} numbers, the model's of {}",
            named(found),
            named(own)
        )
    })
}

/// It has blocks that the model has not.
fn structure(file: &WeightFile, modules: &[LoraTarget]) -> Option<String> {
    let deep = |text: &str| text.contains("transformer_blocks.1.") || text.contains("transformer_blocks_1_");
    let (file_is_xl, model_is_xl) = (file.keys().any(deep), modules.iter().any(|module| deep(&module.path)));
    let fourth = |text: &str| {
        ["down_blocks.3.", "down_blocks_3_", "up_blocks.3.", "up_blocks_3_"].iter().any(|part| text.contains(part))
    };
    match (file_is_xl, model_is_xl) {
        (true, false) => Some("it is for SDXL, and the model is of another family".to_owned()),
        (false, true) if file.keys().any(fourth) => {
            Some("it is for Stable Diffusion 1 or 2, and the model is of SDXL's family".to_owned())
        }
        _ => None,
    }
}
