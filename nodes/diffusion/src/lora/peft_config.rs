//! peft's `LoraConfig`, as far as the numbers depend on it.

use super::Lora;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Fields that make something else than a LoRA, unless they are null or false.
const OTHER: [&str; 7] =
    [DORA, "use_qalora", "use_bdlora", "lora_bias", "kasa_config", "velora_config", "monteclora_config"];
const DORA: &str = "use_dora";
/// Ways to begin that change the weights of the base, to which a LoRA then belongs.
const CHANGES_BASE: [&str; 5] = ["pissa", "olora", "corda", "loftq", "lora_ga"];

/// Where alpha is said.
#[derive(Debug, Deserialize)]
pub(super) struct PeftConfig {
    lora_alpha: f64,
    /// In the file's order: the first that fits counts.
    #[serde(default)]
    alpha_pattern: Map<String, Value>,
    #[serde(default)]
    use_rslora: bool,
}

impl PeftConfig {
    /// Reads a configuration whose fields begin with `prefix`; it may be a DoRA's where that `converts`.
    pub(super) fn read(text: &str, prefix: &str, converts: bool) -> Result<Self, String> {
        let fields: Map<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
        let own = |(name, value): (String, Value)| Some((name.strip_prefix(prefix)?.to_owned(), value));
        let fields: Map<String, Value> = fields.into_iter().filter_map(own).collect();
        let is_set = |name: &&str| !matches!(fields.get(*name), None | Some(Value::Null | Value::Bool(false)));
        if let Some(name) = OTHER.iter().find(|name| is_set(name) && !(converts && **name == DORA)) {
            let way = if *name == DORA { " but by `convert: Svd(rank)`" } else { "" };
            return Err(format!("{name} is {}, which is not supported{way}", fields[*name]));
        }
        let init = fields.get("init_lora_weights").and_then(Value::as_str).unwrap_or_default();
        if CHANGES_BASE.iter().any(|way| init.starts_with(way)) {
            return Err(format!("init_lora_weights is {init}, which changes the base: convert it to a LoRA first"));
        }
        match fields.get("peft_type").and_then(Value::as_str) {
            None | Some("LORA") => serde_json::from_value(Value::Object(fields)).map_err(|e| e.to_string()),
            Some(other) => Err(format!("peft_type is {other}, not LORA")),
        }
    }

    /// The alpha of a module in this crate's sense, where the scale is alpha/rank.
    pub(super) fn alpha(&self, module: &str, rank: f64) -> Result<f64, String> {
        let mut alpha = self.lora_alpha;
        for (pattern, value) in &self.alpha_pattern {
            if names(pattern, module)? {
                alpha = value.as_f64().ok_or_else(|| format!("alpha_pattern: {pattern} is {value}"))?;
                break;
            }
        }
        Ok(if self.use_rslora { alpha * rank.sqrt() } else { alpha })
    }
}

/// Whether a pattern, which peft takes for a regular expression of the end of a path, names a module.
fn names(pattern: &str, module: &str) -> Result<bool, String> {
    let (whole, path) = (pattern.starts_with('^'), pattern.trim_start_matches('^').replace("\\.", "."));
    if path.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.') {
        return Err(format!("alpha_pattern: {pattern} is a regular expression, which is not supported"));
    }
    let rest = module.strip_suffix(path.as_str());
    Ok(rest.is_some_and(|rest| rest.is_empty() || !whole && rest.ends_with('.')))
}

/// The fields of the configuration of a LoRA, with `prefix`. What most modules have is the default, so that an ordinary LoRA
/// has empty patterns.
pub(super) fn describe(lora: &Lora, prefix: &str) -> Map<String, Value> {
    let (r, layers) = (lora.rank(), &lora.layers);
    let lora_alpha = layers.values().find(|l| l.rank() == r).map_or(1.0, |l| l.alpha);
    let alphas = layers.iter().filter(|(_, l)| l.alpha != lora_alpha).map(|(path, l)| (path, l.alpha));
    let ranks = layers.iter().filter(|(_, l)| l.rank() != r).map(|(path, l)| (path, l.rank()));
    let fields = [
        ("alpha_pattern", json!(alphas.collect::<BTreeMap<_, _>>())),
        ("lora_alpha", json!(lora_alpha)),
        ("r", json!(r)),
        ("rank_pattern", json!(ranks.collect::<BTreeMap<_, _>>())),
        ("target_modules", json!(layers.keys().collect::<Vec<_>>())),
        ("use_rslora", json!(false)),
    ];
    fields.map(|(name, value)| (format!("{prefix}{name}"), value)).into_iter().collect()
}
