//! Kinds that bring published judges of pictures in.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::command::{PortName, program_problem};
use super::pretrained::source_problem;
use crate::{File, Hub, Ref, types};

/// A published CLIP: ViT-B/32 or L/14 for the CLIP score, CLIP-H as PickScore trained it.
///
/// Takes a `CLIPModel` folder of transformers, with safetensors weights; single or in shards. Every key is checked. As a
/// reward it gives the cosine of picture and caption, which is what papers print of PickScore. Exactly one of `path` and
/// `hub` is given.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PretrainedClip {
    /// The folder. Without a `preprocessor_config.json` pictures are processed as CLIP's always are.
    #[serde(default)]
    pub path: Option<File>,
    /// A repository of a model hub that holds one: `(repo: "owner/name", revision: "…40 digits")`.
    #[serde(default)]
    pub hub: Option<Hub>,
    /// The folder of the tokenizer, where the CLIP's own does not hold it.
    #[serde(default)]
    pub tokenizer: Option<File>,
    /// A repository of a model hub that holds the tokenizer.
    #[serde(default)]
    pub tokenizer_hub: Option<Hub>,
}

impl PretrainedClip {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let model = source_problem("hub", ["path", "hub"], self.path.as_ref(), self.hub.as_ref());
        let both = self.tokenizer.as_ref().zip(self.tokenizer_hub.as_ref());
        let names = ["tokenizer", "tokenizer_hub"];
        let tokenizer = both.and_then(|(file, hub)| source_problem(names[1], names, Some(file), Some(hub)));
        model.into_iter().chain(tokenizer).collect()
    }
}

/// A published score of pictures, to reward or to report.
///
/// Every key of the weights is checked. Weights are safetensors; for a pickle the message says how to convert it. Each file is
/// on this machine or on a model hub.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScoreModel {
    /// Which one, and its files.
    pub model: ScoreForm,
}

/// A score that is known here.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub enum ScoreForm {
    /// The LAION aesthetic predictor: a mark from about 1 to 10, whatever the caption.
    Aesthetic {
        /// The CLIP whose picture embeddings it marks: ViT-L/14.
        clip: Ref<types::Clip>,
        /// The predictor's weights, `layers.0.weight` and so on: one of those without activations, such as
        /// `sac+logos+ava1-l14-linearMSE`.
        #[serde(default)]
        head: Option<File>,
        /// A repository of a model hub that holds the weights, and their file.
        #[serde(default)]
        head_hub: Option<Hub>,
    },
    /// ImageReward: how well people like a picture for its caption, in deviations from the average.
    ImageReward {
        /// The weights of `ImageReward.pt`, under its keys.
        #[serde(default)]
        weights: Option<File>,
        /// A repository of a model hub that holds the weights, and their file.
        #[serde(default)]
        weights_hub: Option<Hub>,
        /// The `vocab.txt` of bert-base-uncased, or a folder with it.
        #[serde(default)]
        tokenizer: Option<File>,
        /// A repository of a model hub that holds `vocab.txt`.
        #[serde(default)]
        tokenizer_hub: Option<Hub>,
    },
}

/// A score of pictures by any program, in any language: for `Eval` to report, not to train on, for it gives no gradient.
///
/// The program is started once for each row of the table, in an empty directory of its own. `$FLOW_IN_PICTURES` is a folder of
/// PNG pictures with a `metadata.jsonl`, as `Sample` yields one: a line `{"file_name": "000000.png", "text": "the caption"}` a
/// picture. `$FLOW_FILE_MODEL` is the file or folder `model`. In the directory `$FLOW_OUT` it must write `scores.json`: a list of
/// numbers, one a picture, in the order of the lines. Of the environment it sees `PATH`, `HOME` and `CUDA_VISIBLE_DEVICES`. Keyed
/// are the `program` strings and the content of `files`, not the executable that is found.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandScorer {
    /// The program and its arguments. No shell: write `["sh", "-c", "exec python3 $FLOW_FILE_SCRIPT"]` for one.
    pub program: Vec<String>,
    /// Files and folders that it needs, by port name, relative to the pipeline file.
    #[serde(default)]
    pub files: BTreeMap<PortName, File>,
}

impl CommandScorer {
    pub(super) fn problems(&self) -> Vec<Problem> {
        program_problem(&self.program).into_iter().collect()
    }
}

impl ScoreModel {
    pub(super) fn problems(&self) -> Vec<Problem> {
        let problem =
            |names, file: &Option<File>, hub: &Option<Hub>| source_problem("model", names, file.as_ref(), hub.as_ref());
        let problems = match &self.model {
            ScoreForm::Aesthetic { head, head_hub, .. } => vec![problem(["head", "head_hub"], head, head_hub)],
            ScoreForm::ImageReward { weights, weights_hub, tokenizer, tokenizer_hub } => vec![
                problem(["weights", "weights_hub"], weights, weights_hub),
                problem(["tokenizer", "tokenizer_hub"], tokenizer, tokenizer_hub),
            ],
        };
        problems.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KindSpec;

    fn messages<K: KindSpec>(fields: &str) -> Vec<String> {
        let options = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
        let kind: K = options.from_str(fields).unwrap();
        kind.check().into_iter().map(|problem| problem.message).collect()
    }

    const HUB: &str = "(repo: \"a/b\", revision: \"0123456789abcdef0123456789abcdef01234567\")";

    #[test]
    fn each_part_has_one_source() {
        assert!(messages::<PretrainedClip>("(path: \"x\")").is_empty());
        assert!(messages::<PretrainedClip>(&format!("(hub: {HUB}, tokenizer: \"x\")")).is_empty());
        let told = messages::<PretrainedClip>(&format!("(tokenizer: \"x\", tokenizer_hub: {HUB})"));
        assert!(told[0].contains("neither `path` nor `hub`") && told[1].contains("both `tokenizer` and"), "{told:?}");
        let good = format!("(model: Aesthetic(clip: \"c\", head_hub: {HUB}))");
        assert!(messages::<ScoreModel>(&good).is_empty());
        let told = messages::<ScoreModel>(&format!("(model: ImageReward(weights: \"x\", weights_hub: {HUB}))"));
        assert!(told[0].contains("both `weights` and") && told[1].contains("neither `tokenizer` nor"), "{told:?}");
    }
}
