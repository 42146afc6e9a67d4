//! Pipelines to try things on, and reports as the user reads them.

use std::path::PathBuf;

use hyper_flow::pipeline::{Overrides, Pipeline, PipelineErrors};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

/// A folder with the data that the pipelines below name.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/digits.csv.gz"), "").unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn parse(&self, text: &str, overrides: &Overrides) -> Result<Pipeline, PipelineErrors> {
        Pipeline::parse(text, &self.path("p.ron"), overrides)
    }

    /// What the user reads, the folder's name aside.
    pub(crate) fn render(&self, report: &dyn Diagnostic) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(1000);
        let mut text = String::new();
        hyper_flow::error::render(&handler, report, &mut text).unwrap();
        let text = text.replace(&format!("{}/", self.0.path().display()), "");
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

pub(crate) fn set(arguments: &[&str]) -> Overrides {
    Overrides { set: arguments.iter().map(|argument| (*argument).to_owned()).collect(), params: None, store: None }
}

/// The mistakes of a text, as the user reads them.
pub(crate) fn mistakes_with(text: &str, overrides: &Overrides) -> String {
    let folder = Folder::new();
    folder.render(&folder.parse(text, overrides).expect_err("there is a mistake in it"))
}

pub(crate) fn mistakes(text: &str) -> String {
    mistakes_with(text, &Overrides::default())
}

pub(crate) fn good(text: &str) -> Pipeline {
    good_with(text, &Overrides::default())
}

pub(crate) fn good_with(text: &str, overrides: &Overrides) -> Pipeline {
    let folder = Folder::new();
    folder.parse(text, overrides).unwrap_or_else(|errors| panic!("{}", folder.render(&errors)))
}

/// The mistakes of one node beside a dataset, a CLIP and a teacher.
pub(crate) fn node(text: &str) -> String {
    mistakes(&DIGITS.replace("// more", text))
}

pub(crate) const DIGITS: &str = r#"Pipeline(name: "p", nodes: {
    "digits": Digits(file: "data/digits.csv.gz"),
    "clip": TrainClip(data: "digits", steps: 10),
    "teacher": TrainTeacher(data: "digits", text: "clip", steps: 10),
    // more
})"#;

pub(crate) const FULL: &str = r##"
/* A comment, /* nested */ and all. */
Pipeline(
    name: "digits",
    seed: 7,
    params: {"guidance": 1.5, "threads": 2},
    nodes: {
        "digits":  Digits(file: "data/digits.csv.gz"),
        "clip":    TrainClip(data: "digits", steps: 300),
        "judge":   TrainJudge(data: "digits", steps: 300),
        "teacher": TrainTeacher(data: "digits", text: "clip", prediction: V, steps: 1_200),
        "tscd-8":  SegmentDistill(teacher: "teacher", data: "digits", segments: 8, guidance: (1.5, 1.5), rank: 16, steps: 150),
        "tscd.4":  SegmentDistill(teacher: "teacher", data: "digits", student: "tscd-8", segments: 4, distance: Huber(0.01), steps: 150),
        "reward":  RewardFinetune(teacher: "teacher", student: "tscd.4", data: "digits",
            rewards: [Clip(model: "clip", weight: 1), Clip(model: "clip", weight: 0.5, threshold: 0.9)], steps: 60), // both
        "merged":  LoraMerge(loras: [("tscd.4", 1.0), ("reward", 1.0)], rank: 16),
        "unified": ScoreDistill(teacher: "teacher", student: Some("merged"), data: "digits", guidance: Param("guidance"), steps: 150),
        "eval":    Eval(teacher: "teacher", data: "digits", loras: {"tscd": "tscd.4", "a \"b\".c": "unified"}, judge: "judge", clip: "clip"),
        "text":    Command(program: ["sh", "-c", r#"echo "hi #1" > $FLOW_OUT/x"#], inputs: {"metrics": "eval"}, files: {"src": "data"}),
    },
    settings: {
        "*":       (device: Cpu, retries: 1),
        "teacher": (seed: 3, threads: Param("threads"), memory: "2 GiB", timeout: "10 min", sample_every: 100),
        "clip":    (device: Cuda(1), retries: 0, checkpoint_seconds: 5),
    },
)
"##;
