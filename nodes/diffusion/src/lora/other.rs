//! What files of adapters hold besides the LoRA of a UNet. Leaving it out would change the picture: it is refused by name.

use crate::DiffusionError;
use crate::weights::WeightFile;

/// Parts of keys, and whose they are.
const PARTS: [(&str, &str); 7] = [
    (".dora_scale", "a DoRA"),
    (".lora_magnitude_vector", "a DoRA"),
    (".hada_", "a LoHa"),
    (".lokr_", "a LoKr"),
    (".oft_", "an OFT"),
    (".lora_mid.", "a LoRA of three factors"),
    (".lora_B.bias", "a LoRA with biases"),
];
const TEXT_ENCODERS: [&str; 2] = ["lora_te", "text_encoder"];

/// That a file has nothing of the kind.
pub(super) fn refuse(file: &WeightFile) -> Result<(), DiffusionError> {
    let error = |message: String| Err(DiffusionError::Lora(format!("{} {message}", file.path().display())));
    let kind = |key: &str| PARTS.iter().find(|(part, _)| key.contains(part)).map(|(_, kind)| *kind);
    if let Some((key, kind)) = file.keys().find_map(|key| Some((key, kind(key)?))) {
        return error(format!("is {kind} ({key}): of adapters, only LoRAs with a down and an up half are read"));
    }
    let of_text = |key: &&str| TEXT_ENCODERS.iter().any(|prefix| key.starts_with(prefix));
    match file.keys().find(of_text) {
        Some(key) => error(format!(
            "also adapts a text encoder ({key} and so on), which is not supported: without that part it would draw \
             something else. Take a LoRA of the UNet alone"
        )),
        None => Ok(()),
    }
}
