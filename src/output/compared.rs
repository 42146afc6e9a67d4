//! Two runs or nodes, side by side.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use crate::runs::Ending;

/// A comparison.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// One side.
    pub a: ComparedSide,
    /// The other.
    pub b: ComparedSide,
    /// The nodes that differ.
    pub nodes: Vec<ComparedNode>,
    /// How many do not.
    pub same: usize,
}

/// What is compared.
#[derive(Debug, Serialize)]
pub struct ComparedSide {
    /// What it is called.
    pub label: String,
    /// The run, if it is of one.
    pub run: Option<String>,
    /// The name of the run's pipeline.
    pub pipeline: Option<String>,
    /// What `--set` changed.
    pub set: Vec<String>,
    /// The version of hyper-flow that ran it.
    pub version: Option<String>,
    /// How the run ended.
    pub ending: Option<Ending>,
}

/// Which side has a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Both.
    Both,
    /// The first.
    OnlyInA,
    /// The second.
    OnlyInB,
}

/// A node, side by side.
#[derive(Debug, Serialize)]
pub struct ComparedNode {
    /// Its name.
    pub name: String,
    /// Its name on the second side, if that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// Which side has it.
    pub presence: Presence,
    /// Parameters, files, version and seed that differ.
    pub settings: Vec<Setting>,
    /// The ports that took another artifact.
    pub inputs: Vec<String>,
    /// All numbers of both.
    pub numbers: Vec<ComparedNumber>,
    /// All pictures of both.
    pub pictures: Vec<ComparedPicture>,
    /// Whether they came out different, or only one came out.
    pub artifacts_differ: bool,
}

impl ComparedNode {
    /// Whether there is anything to tell.
    pub(crate) fn differs(&self) -> bool {
        let other = self.numbers.iter().any(|number| number.a != number.b);
        let changed = !self.settings.is_empty() || !self.inputs.is_empty();
        self.presence != Presence::Both || changed || self.artifacts_differ || other
    }
}

/// A setting that differs.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Where: `params.steps`.
    pub place: String,
    /// In words: `params.steps: 200 → 300`.
    pub text: String,
    /// On the first side; none if it has none.
    pub a: Option<Value>,
    /// On the second.
    pub b: Option<Value>,
}

/// A number, side by side.
#[derive(Debug, Serialize)]
pub struct ComparedNumber {
    /// What: `unified 1 frechet`, `loss mse`.
    pub name: String,
    /// On the first side.
    pub a: Option<f64>,
    /// On the second.
    pub b: Option<f64>,
    /// The second less the first.
    pub difference: Option<f64>,
}

/// A picture, side by side.
#[derive(Debug, Serialize)]
pub struct ComparedPicture {
    /// Its path in the artifact.
    pub path: String,
    /// Where that of the first side lies.
    pub a: Option<PathBuf>,
    /// Where that of the second lies.
    pub b: Option<PathBuf>,
    /// Whether they are the same bytes.
    pub same: bool,
}
