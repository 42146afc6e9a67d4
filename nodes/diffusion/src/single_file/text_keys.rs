//! The text encoders' names: CLIP's are transformers' already, OpenCLIP's are its own.

use crate::weights::Part;

/// The name in transformers of a key of CLIP. Very old files lack the first component.
pub(super) fn clip(key: &str) -> String {
    if key.starts_with("text_model.") { key.to_owned() } else { format!("text_model.{key}") }
}

/// The names in transformers of a key of OpenCLIP and what of the tensor each has: queries, keys and values were one
/// matrix.
pub(super) fn open_clip(key: &str) -> Option<Vec<(String, Part)>> {
    let whole = |name: String| Some(vec![(name, Part::Whole)]);
    match key {
        "positional_embedding" => return whole("text_model.embeddings.position_embedding.weight".into()),
        "token_embedding.weight" => return whole("text_model.embeddings.token_embedding.weight".into()),
        "text_projection" => return Some(vec![("text_projection.weight".into(), Part::Transposed)]),
        _ => {}
    }
    if let Some(parameter) = key.strip_prefix("ln_final.") {
        return whole(format!("text_model.final_layer_norm.{parameter}"));
    }
    let (layer, rest) = layer(key)?;
    let layer = format!("text_model.encoder.layers.{layer}");
    if let Some(parameter) = rest.strip_prefix("attn.in_proj_") {
        let third = |(i, name)| (format!("{layer}.self_attn.{name}.{parameter}"), Part::Third(i));
        return Some(["q_proj", "k_proj", "v_proj"].into_iter().enumerate().map(third).collect());
    }
    let (module, parameter) = rest.rsplit_once('.')?;
    let module = match module {
        "ln_1" => "layer_norm1",
        "ln_2" => "layer_norm2",
        "mlp.c_fc" => "mlp.fc1",
        "mlp.c_proj" => "mlp.fc2",
        "attn.out_proj" => "self_attn.out_proj",
        _ => return None,
    };
    whole(format!("{layer}.{module}.{parameter}"))
}

/// The layer that a key of OpenCLIP belongs to, and its name there.
pub(super) fn layer(key: &str) -> Option<(usize, &str)> {
    let (layer, rest) = key.strip_prefix("transformer.resblocks.")?.split_once('.')?;
    Some((layer.parse().ok()?, rest))
}
