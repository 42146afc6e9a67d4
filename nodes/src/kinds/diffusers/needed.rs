//! Which files of a diffusers folder a model is made of. Repositories hold the same weights in many forms: of them all, one is
//! enough.

use std::collections::{BTreeMap, BTreeSet};

/// The parts with weights, and what their weights are called.
const MODELS: [(&str, &str); 4] = [
    ("unet", "diffusion_pytorch_model"),
    ("vae", "diffusion_pytorch_model"),
    ("text_encoder", "model"),
    ("text_encoder_2", "model"),
];
/// The parts without.
const OTHERS: [&str; 3] = ["scheduler", "tokenizer", "tokenizer_2"];
/// Without these there is no text-to-image model.
const ALWAYS: [&str; 4] = ["unet", "text_encoder", "tokenizer", "scheduler"];

/// The files, each with the name that it has in a folder without variants. An error says what the folder lacks, after its
/// name: "has no …".
pub(super) fn needed(names: &[&str], variant: Option<&str>) -> Result<BTreeMap<String, String>, String> {
    if !names.contains(&"model_index.json") {
        return Err("has no model_index.json, so it is no diffusers folder".to_owned());
    }
    let of = |part: &str| -> Vec<&str> {
        names.iter().filter(|name| name.strip_prefix(part).is_some_and(|rest| rest.starts_with('/'))).copied().collect()
    };
    if let Some(part) = ALWAYS.iter().find(|part| of(part).is_empty()) {
        return Err(format!("has no {part}/, without which no picture is drawn"));
    }
    let mut needed = BTreeMap::from([("model_index.json".to_owned(), "model_index.json".to_owned())]);
    let mut found = BTreeSet::new();
    for (part, stem) in MODELS.iter().filter(|(part, _)| !of(part).is_empty()) {
        let config = format!("{part}/config.json");
        needed.insert(config.clone(), config);
        let stem = format!("{part}/{stem}");
        needed.extend(weights(&of(part), &stem, variant)?);
        found.extend(variants(&of(part), &stem).into_keys());
    }
    let plain =
        OTHERS.iter().flat_map(|part| of(part)).filter(|name| name.ends_with(".json") || name.ends_with(".txt"));
    needed.extend(plain.map(|name| (name.to_owned(), name.to_owned())));
    match variant.filter(|name| !found.contains(*name)) {
        Some(name) => Err(format!("has no weights of the variant `{name}`{}", instead(&found))),
        None => Ok(needed),
    }
}

/// The safetensors weights that are called `stem`, of the variant if there is one, each with its name without variants.
pub(in crate::kinds) fn weights(
    names: &[&str],
    stem: &str,
    variant: Option<&str>,
) -> Result<BTreeMap<String, String>, String> {
    let found = variants(names, stem);
    let chosen = variant.and_then(|name| found.get(name)).or(found.get(""));
    chosen.cloned().ok_or_else(|| lacking(stem, found.into_keys().collect()))
}

/// The safetensors weights that are called `stem`, by variant; the plain ones are the variant "".
fn variants(names: &[&str], stem: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for name in names {
        let Some(variant) = name.strip_prefix(stem).and_then(variant_of) else { continue };
        found.entry(variant).or_default().insert((*name).to_owned(), without_variant(name, stem));
    }
    found
}

/// The variant in the end of a file's name: what is neither the format, nor an index, nor the number of a shard. Diffusers has
/// put it into several places over time.
fn variant_of(end: &str) -> Option<String> {
    let is_known = |word: &str| {
        matches!(word, "" | "safetensors" | "index" | "json" | "of") || word.len() == 5 && word.parse::<u32>().is_ok()
    };
    let words: Vec<&str> = end.split(['.', '-']).collect();
    let is_weights = end.starts_with(['.', '-']) && words.contains(&"safetensors");
    let ends_well = matches!(words.last(), Some(&("safetensors" | "json")));
    let variant: Vec<&str> = words.into_iter().filter(|word| !is_known(word)).collect();
    (is_weights && ends_well).then(|| variant.join("-"))
}

/// An index names its shards, which so keep their names.
fn without_variant(name: &str, stem: &str) -> String {
    match name {
        index if index.ends_with(".json") => format!("{stem}.safetensors.index.json"),
        shard if shard.contains("-of-") => shard.to_owned(),
        _ => format!("{stem}.safetensors"),
    }
}

fn lacking(stem: &str, variants: BTreeSet<String>) -> String {
    match variants.is_empty() {
        true => format!("has no {stem}.safetensors; another commit or repository of the same model may have it"),
        false => format!("has no plain {stem}.safetensors{}", instead(&variants)),
    }
}

fn instead(variants: &BTreeSet<String>) -> String {
    let named: Vec<String> = variants.iter().filter(|name| !name.is_empty()).map(|name| format!("`{name}`")).collect();
    if named.is_empty() { String::new() } else { format!("; `variant` can be {}", named.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the repositories of Stable Diffusion 1.5 are, in short.
    const SD15: &[&str] = &[
        ".gitattributes",
        "README.md",
        "feature_extractor/preprocessor_config.json",
        "model_index.json",
        "safety_checker/config.json",
        "safety_checker/model.safetensors",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors",
        "text_encoder/model.safetensors",
        "text_encoder/pytorch_model.bin",
        "tokenizer/merges.txt",
        "tokenizer/special_tokens_map.json",
        "tokenizer/tokenizer_config.json",
        "tokenizer/vocab.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.non_ema.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "v1-5-pruned.ckpt",
        "v1-5-pruned.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
    ];

    fn of(names: &[&str], variant: Option<&str>) -> Vec<(String, String)> {
        needed(names, variant).unwrap().into_iter().collect()
    }

    fn without(end: &str) -> Vec<&'static str> {
        SD15.iter().filter(|name| !name.ends_with(end)).copied().collect()
    }

    #[test]
    fn plain_weights_and_nothing_twice() {
        let files: Vec<String> = of(SD15, None)
            .into_iter()
            .map(|(from, to)| {
                assert_eq!(from, to);
                from
            })
            .collect();
        assert_eq!(
            files,
            [
                "model_index.json",
                "scheduler/scheduler_config.json",
                "text_encoder/config.json",
                "text_encoder/model.safetensors",
                "tokenizer/merges.txt",
                "tokenizer/special_tokens_map.json",
                "tokenizer/tokenizer_config.json",
                "tokenizer/vocab.json",
                "unet/config.json",
                "unet/diffusion_pytorch_model.safetensors",
                "vae/config.json",
                "vae/diffusion_pytorch_model.safetensors",
            ]
        );
    }

    #[test]
    fn a_variant_where_there_is_one() {
        let files = of(SD15, Some("fp16"));
        let from = |to: &str| files.iter().find(|(_, name)| name == to).unwrap().0.clone();
        assert_eq!(from("unet/diffusion_pytorch_model.safetensors"), "unet/diffusion_pytorch_model.fp16.safetensors");
        assert_eq!(from("text_encoder/model.safetensors"), "text_encoder/model.fp16.safetensors");
        assert_eq!(from("vae/diffusion_pytorch_model.safetensors"), "vae/diffusion_pytorch_model.safetensors");
        assert_eq!(of(SD15, Some("non_ema")).len(), files.len());
    }

    #[test]
    fn a_variant_that_no_part_has_is_told() {
        let error = needed(SD15, Some("bf16")).unwrap_err();
        assert_eq!(error, "has no weights of the variant `bf16`; `variant` can be `fp16`, `non_ema`");
        let only_variants = without("_model.safetensors");
        let error = needed(&only_variants, None).unwrap_err();
        assert_eq!(error, "has no plain unet/diffusion_pytorch_model.safetensors; `variant` can be `fp16`, `non_ema`");
    }

    #[test]
    fn shards_come_with_their_index() {
        let shards = [
            "unet/diffusion_pytorch_model-00001-of-00002.safetensors",
            "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
            "unet/diffusion_pytorch_model.safetensors.index.json",
        ];
        let sharded = [without("unet/diffusion_pytorch_model.safetensors"), shards.to_vec()].concat();
        let files = of(&sharded, None);
        for shard in shards {
            assert!(files.contains(&(shard.to_owned(), shard.to_owned())), "{shard}");
        }
        for index in ["safetensors.index.fp16.json", "safetensors.fp16.index.json", "fp16.safetensors.index.json"] {
            let index = format!("unet/diffusion_pytorch_model.{index}");
            let shard = "unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors";
            let names = [without("unet/diffusion_pytorch_model.fp16.safetensors"), vec![&index, shard]].concat();
            let files = of(&names, Some("fp16"));
            assert!(files.contains(&(index.clone(), "unet/diffusion_pytorch_model.safetensors.index.json".to_owned())));
            assert!(files.contains(&(shard.to_owned(), shard.to_owned())));
        }
    }

    #[test]
    fn what_is_lacking_is_told() {
        let error = |names: &[&str]| needed(names, None).unwrap_err();
        assert!(error(&["v1-5-pruned.safetensors"]).starts_with("has no model_index.json"));
        let pickles: Vec<&str> =
            SD15.iter().filter(|name| !name.starts_with("unet/") || !name.ends_with(".safetensors")).copied().collect();
        assert!(error(&pickles).starts_with("has no unet/diffusion_pytorch_model.safetensors"));
        assert!(error(&without("vocab.json")[..5]).starts_with("has no unet/"));
        let broken = without("scheduler_config.json");
        assert!(error(&broken).starts_with("has no scheduler/"));
    }
}
