//! What of a LoRA file is for text encoders.

use super::spelling::said;
use crate::weights::WeightFile;
use std::collections::BTreeSet;

const MODULES: [&str; 3] = ["lora_te", "text_encoder", "base_model.model.text_encoder"];
/// Textual inversions, which OneTrainer and stable-diffusion-webui bundle with a LoRA.
const EMBEDDINGS: &str = "bundle_emb.";

/// Whether a key is of an embedding.
pub(super) fn is_embedding(key: &str) -> bool {
    key.starts_with(EMBEDDINGS)
}

/// Whether a key is.
pub(super) fn is_text(key: &str) -> bool {
    is_embedding(key) || MODULES.iter().any(|prefix| key.starts_with(prefix))
}

/// What there is of it, in words.
pub(super) fn parts(file: &WeightFile) -> Vec<String> {
    modules(file).into_iter().chain(embeddings(file)).collect()
}

fn modules(file: &WeightFile) -> Option<String> {
    let keys = file.keys().filter(|key| is_text(key) && !is_embedding(key));
    let modules: BTreeSet<&str> = keys.map(|key| said(key).map_or(key, |said| said.name)).collect();
    let s = if modules.len() == 1 { "" } else { "s" };
    (!modules.is_empty()).then(|| format!("{} module{s} of text encoders", modules.len()))
}

/// The names of the embeddings, in words.
pub(super) fn embeddings(file: &WeightFile) -> Option<String> {
    let embedding = |key: &'_ str| Some(key.strip_prefix(EMBEDDINGS)?.split('.').next()?.to_owned());
    let embeddings: BTreeSet<String> = file.keys().filter_map(embedding).collect();
    (!embeddings.is_empty())
        .then(|| format!("the embeddings {}", embeddings.into_iter().collect::<Vec<_>>().join(", ")))
}
