//! `vocab.json`, `merges.txt`, `tokenizer_config.json`, `special_tokens_map.json`; or the one `tokenizer.json` that
//! transformers 5 writes instead of the first two.

use super::encode::{ClipTokenizer, Parts, SpecialTokens};
use crate::DiffusionError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// CLIP's, for a folder that names none.
const MAX_LENGTH: usize = 77;
/// Transformers writes 1e30 for "no limit".
const NO_LIMIT: f64 = 1e9;
/// Every text is padded to its length: it must not decide how much memory is taken.
const LONGEST: usize = 1 << 16;

impl ClipTokenizer {
    /// Opens a `tokenizer/` folder.
    ///
    /// # Errors
    /// [`DiffusionError::Io`], or [`DiffusionError::Config`] naming the file that is malformed.
    pub fn read(folder: &Path) -> Result<Self, DiffusionError> {
        let (vocab, merges) = read_model(folder)?;
        let config = read_optional(folder, "tokenizer_config.json")?;
        let map = read_optional(folder, "special_tokens_map.json")?;
        let (special, max_length) = (special_tokens(&config, &map), max_length(&config));
        if max_length > LONGEST {
            let message = format!("model_max_length is {max_length}, and no text encoder takes more than {LONGEST}");
            return Err(malformed(&folder.join("tokenizer_config.json"), message));
        }
        let parts = Parts { vocab, merges, special, max_length };
        Self::new(parts).map_err(|error| match error {
            DiffusionError::Config { message, .. } => malformed(folder, message),
            error => error,
        })
    }

    /// Writes a folder that `CLIPTokenizer.from_pretrained` opens, made if need be.
    ///
    /// # Errors
    /// [`DiffusionError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), DiffusionError> {
        let io = |source| DiffusionError::Io { action: "create", path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        write(folder, "vocab.json", &format!("{}\n", self.vocab_json()))?;
        write(folder, "merges.txt", &self.merges_text())?;
        write(folder, "special_tokens_map.json", &format!("{:#}\n", self.special_json()))?;
        write(folder, "tokenizer_config.json", &format!("{:#}\n", self.config_json()))
    }

    /// Tokens in the order of their ids.
    fn vocab_json(&self) -> Value {
        let mut tokens: Vec<_> = self.parts.vocab.iter().collect();
        tokens.sort_by_key(|&(_, id)| id);
        tokens.into_iter().map(|(token, id)| (token.clone(), json!(id))).collect::<Map<_, _>>().into()
    }

    fn merges_text(&self) -> String {
        let lines = self.parts.merges.iter().map(|(left, right)| format!("{left} {right}\n"));
        std::iter::once("#version: 0.2\n".to_owned()).chain(lines).collect()
    }

    fn special_json(&self) -> Value {
        let SpecialTokens { bos, eos, pad, unk } = &self.parts.special;
        json!({"bos_token": bos, "eos_token": eos, "pad_token": pad, "unk_token": unk})
    }

    fn config_json(&self) -> Value {
        let mut config = json!({
            "tokenizer_class": "CLIPTokenizer",
            "model_max_length": self.parts.max_length,
            "do_lower_case": true,
            "add_prefix_space": false,
            "errors": "replace",
        });
        if let (Value::Object(config), Value::Object(special)) = (&mut config, self.special_json()) {
            config.extend(special);
        }
        config
    }
}

type Model = (BTreeMap<String, u32>, Vec<(String, String)>);

fn read_model(folder: &Path) -> Result<Model, DiffusionError> {
    let (vocab, whole) = (folder.join("vocab.json"), folder.join("tokenizer.json"));
    if !vocab.exists() && whole.exists() {
        let json = parse(&whole)?;
        return model_of(&json["model"]).map_err(|e| malformed(&whole, e));
    }
    let tokens = serde_json::from_value(parse(&vocab)?).map_err(|e| malformed(&vocab, e))?;
    Ok((tokens, read_merges(folder.join("merges.txt"))?))
}

/// The `model` of a `tokenizer.json`, whose merges are pairs or, in older files, lines.
fn model_of(model: &Value) -> Result<Model, String> {
    let vocab = serde_json::from_value(model["vocab"].clone()).map_err(|e| format!("model.vocab: {e}"))?;
    let merges = model["merges"].as_array().ok_or("model.merges is not a list")?;
    let pair = |merge: &Value| match merge {
        Value::String(line) => line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())),
        pair => serde_json::from_value(pair.clone()).ok(),
    };
    let merges = merges.iter().map(|merge| pair(merge).ok_or_else(|| format!("model.merges: {merge} is not a pair")));
    Ok((vocab, merges.collect::<Result<_, _>>()?))
}

fn read_merges(path: PathBuf) -> Result<Vec<(String, String)>, DiffusionError> {
    let text = read(&path)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with("#version") && !line.is_empty());
    let pair = |(i, line): (usize, &str)| {
        let (left, right) = line.split_once(' ').ok_or_else(|| malformed(&path, format!("line {}: no pair", i + 1)))?;
        Ok((left.to_owned(), right.to_owned()))
    };
    lines.map(pair).collect()
}

/// A special token is text, or an object with text; `tokenizer_config.json` goes before `special_tokens_map.json`.
fn special_tokens(config: &Value, map: &Value) -> SpecialTokens {
    let text = |value: &Value| value.as_str().or(value["content"].as_str()).map(str::to_owned);
    let token = |name: &str, default| text(&config[name]).or_else(|| text(&map[name])).unwrap_or(default);
    let SpecialTokens { bos, eos, pad, unk } = SpecialTokens::default();
    SpecialTokens {
        bos: token("bos_token", bos),
        eos: token("eos_token", eos),
        pad: token("pad_token", pad),
        unk: token("unk_token", unk),
    }
}

fn max_length(config: &Value) -> usize {
    let length = config["model_max_length"].as_f64().filter(|&length| length < NO_LIMIT);
    length.map_or(MAX_LENGTH, |length| length as usize)
}

/// The object in a file that a folder may lack.
fn read_optional(folder: &Path, name: &str) -> Result<Value, DiffusionError> {
    let path = folder.join(name);
    if path.exists() { parse(&path) } else { Ok(Value::Null) }
}

fn parse(path: &Path) -> Result<Value, DiffusionError> {
    serde_json::from_str(&read(path)?).map_err(|e| malformed(path, e))
}

fn read(path: &Path) -> Result<String, DiffusionError> {
    std::fs::read_to_string(path).map_err(|source| DiffusionError::Io { action: "read", path: path.to_owned(), source })
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), DiffusionError> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|source| DiffusionError::Io { action: "write", path, source })
}

fn malformed(path: &Path, message: impl ToString) -> DiffusionError {
    DiffusionError::Config { what: path.display().to_string(), message: message.to_string() }
}
