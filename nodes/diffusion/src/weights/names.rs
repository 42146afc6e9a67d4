//! Published names that are not those of the models here.

/// A VAE's attention as diffusers wrote it before 0.18, and as it is called since.
const VAE_ATTENTION: [(&str, &str); 4] =
    [("query", "to_q"), ("key", "to_k"), ("value", "to_v"), ("proj_attn", "to_out.0")];

/// The name of a VAE's key.
pub fn vae_name(key: &str) -> String {
    let attention = key.rsplit_once('.').and_then(|(module, parameter)| {
        let (module, layer) = module.rsplit_once('.').filter(|(module, _)| module.contains(".attentions."))?;
        let (_, new) = VAE_ATTENTION.iter().find(|(old, _)| *old == layer)?;
        Some(format!("{module}.{new}.{parameter}"))
    });
    attention.unwrap_or_else(|| key.to_owned())
}

/// Whether a key is CLIP's `position_ids`, the numbers 0, 1, 2, … that transformers wrote before 4.31.
pub fn is_position_ids(key: &str) -> bool {
    key == "position_ids" || key.ends_with(".position_ids")
}
