//! Kinds that bring published models in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Prediction, Problem};
use crate::{File, Hub};

/// A published Stable Diffusion model, from this machine or from a model hub.
///
/// Exactly one of `path` and `hub` is given. From a hub comes, unless its `files` say otherwise, what a pipeline draws with:
/// the configurations, the tokenizers, and the safetensors weights of the variant; no pickles, no safety checker. Each file is
/// held to the size and hash that the hub lists. `HF_ENDPOINT` names another hub or a mirror, `HF_TOKEN` is for what is private
/// or gated, and with `HF_HUB_OFFLINE` nobody is asked; none of them is in the key.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diffusers {
    /// A diffusers folder, or a checkpoint in one safetensors file with the names of latent-diffusion, as most community
    /// models come: Stable Diffusion 1, 2 and SDXL base. Weights of eight bits, with scales (`scale_weight`, `weight_scale`) or
    /// without, become float32 or bfloat16, in which nothing of them is lost.
    #[serde(default)]
    pub path: Option<File>,
    /// A repository of a model hub that holds one: `(repo: "owner/name", revision: "…40 digits")`, with `files: ["…", …]` where
    /// others are meant than a pipeline needs, such as a checkpoint in one file.
    #[serde(default)]
    pub hub: Option<Hub>,
    /// Which of several weights: `fp16` means `diffusion_pytorch_model.fp16.safetensors`. A part of the model that has no such
    /// file is read from its plain one.
    #[serde(default)]
    pub variant: Option<String>,
    /// What a checkpoint in one file predicts. Without it: what the file says of itself, else V for Stable Diffusion 2, as
    /// diffusers has it, although the one for 512 pixels predicts Epsilon and looks the same; Epsilon for the others.
    #[serde(default)]
    pub prediction: Option<Prediction>,
    /// The tokenizer for a checkpoint in one file, which has none: a folder with CLIP's `vocab.json` and `merges.txt`.
    #[serde(default)]
    pub tokenizer: Option<File>,
    /// A diffusers folder whose configurations, and tokenizers if there is no `tokenizer`, are taken for a checkpoint in one
    /// file instead of the published model's. It needs no weights.
    #[serde(default)]
    pub config: Option<File>,
}

impl Diffusers {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let source = source_problem("hub", ["path", "hub"], self.path.as_ref(), self.hub.as_ref());
        source.into_iter().chain(self.variant_problem()).collect()
    }

    fn variant_problem(&self) -> Option<Problem> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let variant = self.variant.as_ref().filter(|variant| variant.is_empty() || !variant.chars().all(plain))?;
        Some(Problem {
            field: "variant",
            message: format!("`{variant}` is no variant of weights"),
            help: "it is the word before `.safetensors`, for example `fp16`; leave it out for the plain weights".into(),
        })
    }
}

/// What is wrong, told at `field`, unless exactly one of a file and a hub of these names is given.
pub(super) fn source_problem(
    field: &'static str,
    [path_name, hub_name]: [&str; 2],
    path: Option<&File>,
    hub: Option<&Hub>,
) -> Option<Problem> {
    let message = match (path, hub) {
        (Some(_), Some(_)) => format!("both `{path_name}` and `{hub_name}` say where it comes from"),
        (None, None) => format!("neither `{path_name}` nor `{hub_name}` says where it comes from"),
        _ => return None,
    };
    let hub = "(repo: \"owner/name\", revision: \"…40 digits\")";
    Some(Problem { field, message, help: format!("write one: `{path_name}: \"…\"`, or `{hub_name}: {hub}`") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(fields: &str) -> Vec<String> {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let kind: Diffusers = options.from_str(fields).unwrap();
        kind.problems().into_iter().map(|problem| problem.message).collect()
    }

    const HUB: &str = "hub: (repo: \"a/b\", revision: \"0123456789abcdef0123456789abcdef01234567\")";

    #[test]
    fn one_source_and_only_one() {
        assert!(problems("(path: \"x\")").is_empty() && problems(&format!("({HUB})")).is_empty());
        assert!(problems("()")[0].contains("neither"));
        assert!(problems(&format!("(path: \"x\", {HUB})"))[0].contains("both"));
    }

    #[test]
    fn a_variant_is_a_word() {
        assert!(problems("(path: \"x\", variant: \"non_ema\")").is_empty());
        assert_eq!(problems("(path: \"x\", variant: \"../x\")"), ["`../x` is no variant of weights"]);
        assert_eq!(problems("(path: \"x\", variant: \"\")").len(), 1);
    }
}
