//! What files of adapters hold besides a LoRA. Leaving it out would change the picture: it is refused by name.

use super::text::{self, is_embedding, is_text};
use crate::DiffusionError;
use crate::weights::WeightFile;

/// Parts of keys, whose they are, and whether [`convert`](super::PublishedLora::convert) makes a LoRA of them.
const PARTS: [(&str, &str, bool); 13] = [
    (".dora_scale", "a DoRA", true),
    (".lora_magnitude_vector", "a DoRA", true),
    (".hada_", "a LoHa", true),
    (".lokr_", "a LoKr", true),
    (".lora_mid.", "a LoRA of three factors", true),
    (".oft_", "an OFT", false),
    (".a1.weight", "a GLoRA", false),
    (".diff", "a LoRA with whole differences of weights", false),
    (".w_norm", "a LoRA with norms", false),
    (".b_norm", "a LoRA with norms", false),
    (".on_input", "an IA3", false),
    (".lora_embedding_", "a LoRA of embeddings", false),
    (".lora_B.bias", "a LoRA with biases", false),
];
/// What of adapters is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// LoRAs with a down and an up half.
    Plain,
    /// Also what can be made into one.
    Convertible,
}

/// That a file has nothing else, of the keys that are read; `reads_text` is whether the modules of text encoders are.
pub(super) fn refuse(file: &WeightFile, keys: &[&str], taken: Taken, reads_text: bool) -> Result<(), DiffusionError> {
    let error = |message: String| Err(DiffusionError::Lora(format!("{} {message}", file.path().display())));
    let refused = |convertible: bool| taken == Taken::Plain || !convertible;
    let part = |key: &str| PARTS.iter().find(|(part, _, convertible)| key.contains(part) && refused(*convertible));
    match keys.iter().find_map(|key| Some((key, part(key)?))) {
        Some((key, (_, kind, true))) => error(format!(
            "is {kind} ({key}): of adapters, only LoRAs with a down and an up half are read as they are; \
             `convert: Svd(rank)`, for example `convert: Svd(32)`, makes one of it and tells the error"
        )),
        Some((key, (_, kind, false))) => error(format!("is {kind} ({key}), which is not read and no LoRA is made of")),
        None => match keys.iter().find(|key| is_embedding(key) || !reads_text && is_text(key)) {
            None => Ok(()),
            Some(key) => error(format!(
                "also has {} ({key} and so on), which are not supported: without them it draws something else. \
                 `text: Drop` leaves them out{}",
                if reads_text { text::embeddings(file).unwrap_or_default() } else { text::parts(file).join(" and ") },
                if reads_text { ", with all else that is for text encoders" } else { "" }
            )),
        },
    }
}
