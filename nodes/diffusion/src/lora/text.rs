//! What of a LoRA file is for text encoders.

use super::spelling::said;
use crate::weights::WeightFile;
use std::collections::BTreeSet;

const MODULES: [&str; 2] = ["lora_te", "text_encoder"];
/// Textual inversions, which OneTrainer and stable-diffusion-webui bundle with a LoRA.
const EMBEDDINGS: &str = "bundle_emb.";

/// Whether a key is.
pub(super) fn is_text(key: &str) -> bool {
    key.starts_with(EMBEDDINGS) || MODULES.iter().any(|prefix| key.starts_with(prefix))
}

/// What there is of it, in words.
pub(super) fn parts(file: &WeightFile) -> Vec<String> {
    let keys = || file.keys().filter(|key| is_text(key));
    let module = |key: &str| said(key).map_or_else(|| key.to_owned(), |said| said.name.to_owned());
    let embedding = |key: &str| Some(key.strip_prefix(EMBEDDINGS)?.split('.').next()?.to_owned());
    let modules: BTreeSet<String> = keys().filter(|key| !key.starts_with(EMBEDDINGS)).map(module).collect();
    let embeddings: BTreeSet<String> = keys().filter_map(embedding).collect();
    let mut parts = Vec::new();
    if !modules.is_empty() {
        let s = if modules.len() == 1 { "" } else { "s" };
        parts.push(format!("{} module{s} of text encoders", modules.len()));
    }
    if !embeddings.is_empty() {
        parts.push(format!("the embeddings {}", embeddings.into_iter().collect::<Vec<_>>().join(", ")));
    }
    parts
}
