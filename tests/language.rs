//! The pipeline language: what it means, and every mistake that it tells.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper_flow::pipeline::{KindDescription, Overrides, Pipeline, PipelineErrors, json_schema, load};
use hyper_flow_spec::{Device, Kind, Leaf};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;

/// A folder with the data that the pipelines below name.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::fs::write(folder.path().join("data/digits.csv.gz"), "").unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn parse(&self, text: &str, overrides: &Overrides) -> Result<Pipeline, PipelineErrors> {
        Pipeline::parse(text, &self.path("p.ron"), overrides)
    }

    /// What the user reads, the folder's name aside.
    fn render(&self, report: &dyn Diagnostic) -> String {
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(1000);
        let mut text = String::new();
        handler.render_report(&mut text, report).unwrap();
        let text = text.replace(&format!("{}/", self.0.path().display()), "");
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

fn set(arguments: &[&str]) -> Overrides {
    Overrides { set: arguments.iter().map(|argument| (*argument).to_owned()).collect(), params: None }
}

/// The mistakes of a text, as the user reads them.
fn mistakes_with(text: &str, overrides: &Overrides) -> String {
    let folder = Folder::new();
    folder.render(&folder.parse(text, overrides).expect_err("there is a mistake in it"))
}

fn mistakes(text: &str) -> String {
    mistakes_with(text, &Overrides::default())
}

fn good(text: &str) -> Pipeline {
    good_with(text, &Overrides::default())
}

fn good_with(text: &str, overrides: &Overrides) -> Pipeline {
    let folder = Folder::new();
    folder.parse(text, overrides).unwrap_or_else(|errors| panic!("{}", folder.render(&errors)))
}

/// The mistakes of one node beside a dataset, a CLIP and a teacher.
fn node(text: &str) -> String {
    mistakes(&DIGITS.replace("// more", text))
}

const DIGITS: &str = r#"Pipeline(name: "p", nodes: {
    "digits": Digits(file: "data/digits.csv.gz"),
    "clip": TrainClip(data: "digits", steps: 10),
    "teacher": TrainTeacher(data: "digits", text: "clip", steps: 10),
    // more
})"#;

const FULL: &str = r##"
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

#[test]
fn a_pipeline_is_read() {
    let pipeline = good(FULL);
    assert_eq!((pipeline.name.as_str(), pipeline.seed, pipeline.exact), ("digits", 7, false));
    assert_eq!(pipeline.nodes.len(), 11);
    assert!(pipeline.path.is_absolute());
    assert_eq!(pipeline.warnings.len(), 0);

    let teacher = &pipeline.nodes["teacher"];
    assert_eq!(teacher.inputs["text"], "clip");
    assert_eq!((teacher.settings.seed, teacher.settings.threads), (Some(3), Some(2)));
    assert_eq!((teacher.settings.memory, teacher.settings.timeout), (Some(2 << 30), Some(Duration::from_secs(600))));
    assert_eq!(
        (teacher.settings.device, teacher.settings.retries, teacher.settings.sample_every),
        (Device::Cpu, 1, 100)
    );
    assert_eq!(teacher.settings.checkpoint_seconds, 60.0);

    let clip = &pipeline.nodes["clip"].settings;
    assert_eq!((clip.device, clip.retries, clip.checkpoint_seconds), (Device::Cuda(1), 0, 5.0));
    assert_eq!(pipeline.nodes["digits"].files["file"], pipeline.path.with_file_name("data/digits.csv.gz"));
    assert_eq!(pipeline.nodes["reward"].inputs["rewards.1.model"], "clip");
    assert_eq!(pipeline.nodes["eval"].inputs["loras.a \"b\".c"], "unified");
    let Kind::ScoreDistill(unified) = &pipeline.nodes["unified"].kind else { panic!("another kind") };
    assert_eq!(unified.guidance.get(), 1.5);
    assert_eq!(unified.student.as_ref().unwrap().name(), "merged");
    let Kind::Command(text) = &pipeline.nodes["text"].kind else { panic!("another kind") };
    assert_eq!(text.program[2], "echo \"hi #1\" > $FLOW_OUT/x");
}

/// Ports are found in the file; keys and jobs are made of the typed parameters. Both must agree.
#[test]
fn ports_are_those_of_the_parameters() {
    for node in good(FULL).nodes.values() {
        let mut ports: Vec<(String, String)> = Vec::new();
        for (port, leaf) in node.kind.value().leaves() {
            if let Leaf::Node { name, .. } = leaf {
                ports.push((port, name.clone()));
            } else {
                assert!(node.files.contains_key(&port), "{} has no file {port}", node.name);
            }
        }
        ports.sort();
        assert_eq!(ports, node.inputs.clone().into_iter().collect::<Vec<_>>(), "{}", node.name);
    }
}

#[test]
fn the_seed_is_0_and_the_name_before_the_parentheses_may_be_absent() {
    let pipeline = good("(name: \"p\", nodes: {}, reproducibility: Exact)");
    assert_eq!((pipeline.seed, pipeline.exact), (0, true));
}

#[test]
fn eight_kinds_of_mistake_are_told_in_one_go() {
    let text = r#"Pipeline(
    name: "eight",
    nodes: {
        "digits":  Digits(file: "data/digts.csv.gz"),
        "clip":    TrainClip(data: "digit", stepps: 300, steps: 10),
        "teacher": TrainTeacher(data: "digits", text: "digits", steps: 1200),
        "tscd-8":  SegmentDistil(teacher: "teacher", data: "digits", segments: 8, steps: 150),
        "tscd-4":  SegmentDistill(teacher: "teacher", data: "digits", segments: 0, steps: 150),
        "reward":  RewardFinetune(teacher: "teacher", student: "tscd-4", data: "digits", rewards: [Clip(model: "clip", weight: "1")], steps: 60),
        "a":       Command(program: ["true"], inputs: {"left": "b"}),
        "b":       Command(program: ["true"], inputs: {"left": "a"}),
    },
)
"#;
    let folder = Folder::new();
    let errors = folder.parse(text, &Overrides::default()).unwrap_err();
    assert_eq!(errors.findings.len(), 8, "{}", folder.render(&errors));
    insta::assert_snapshot!(folder.render(&errors));
}

macro_rules! told {
    ($($name:ident: $report:expr;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), $report);
        })*
    };
}

told! {
    unknown_field: node(r#""j": TrainJudge(data: "digits", steps: 1, wdth: 3)"#);
    unknown_field_inside: node(r#""r": RewardFinetune(teacher: "teacher", student: "x", data: "digits", steps: 1, rewards: [Clip(model: "clip", weight: 1.0), Clip(model: "clip", wight: 1.0)])"#);
    missing_fields: node(r#""j": TrainTeacher(data: "digits")"#);
    missing_field_inside: node(r#""r": RewardFinetune(teacher: "teacher", student: "x", data: "digits", steps: 1, rewards: [Clip(model: "clip")])"#);
    no_fields_at_all: node(r#""j": Digits"#);
    repeated_field: node(r#""j": TrainJudge(data: "digits", steps: 1, steps: 2)"#);
    repeated_key: node(r#""c": Command(program: ["true"], inputs: {"left": "clip", "left": "teacher"})"#);
    repeated_node: node(r#""clip": TrainClip(data: "digits", steps: 20)"#);
    repeated_top_level: mistakes("Pipeline(name: \"a\", name: \"b\", nodes: {}, nodes: {})");
    text_for_a_number: node(r#""j": TrainJudge(data: "digits", steps: "many")"#);
    fraction_for_a_whole_number: node(r#""j": TrainJudge(data: "digits", steps: 1.5)"#);
    name_for_text: node(r#""j": TrainJudge(data: digits, steps: 1)"#);
    text_for_a_name: node(r#""t": TrainTeacher(data: "digits", text: "clip", steps: 1, prediction: "V")"#);
    list_for_a_pair: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1, guidance: [1.0, 2.0])"#);
    too_few_in_a_pair: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1, guidance: (1.0))"#);
    too_many_in_a_pair: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1, guidance: (1.0, 2.0, 3.0))"#);
    wrong_inside_a_list: node(r#""m": LoraMerge(loras: [("teacher", 1.0), ("clip", "2")])"#);
    wrong_payload: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1, distance: Huber("x"))"#);
    payload_missing: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1, distance: Huber)"#);
    payload_too_many: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1, distance: Mse(1))"#);
    unknown_choice: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1, distance: Hubert(0.1), target: Em)"#);
    port_name: node(r#""c": Command(program: ["true"], inputs: {"Left": "clip"}, env: ["A B"])"#);
    out_of_range: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 0, rank: 0, solver_steps: 667, steps: 5000000000, lr: 0.0)"#);
    out_of_range_inside: node(r#""r": RewardFinetune(teacher: "teacher", student: "x", data: "digits", steps: 1, rollouts: [1, 2000], rewards: [Clip(model: "clip", weight: -1.0)])"#);
    impossible_together: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 40, solver_steps: 20, guidance: (3.0, 2.0), steps: 1)"#);
    unknown_kind: node(r#""s": SegmentDistil(teacher: "teacher", anything: 1)"#);
    no_kind: node(r#""s": "digits", "t": (data: "digits"), "u": 3"#);
    positional_fields: node(r#""s": Digits("data/digits.csv.gz")"#);
    bad_node_names: node(r#"s: Digits(file: "data"), "*": Digits(file: "data"), "": Digits(file: "data"), "a\nb": Digits(file: "data")"#);
    unknown_node: node(r#""j": TrainJudge(data: "digit", steps: 1), "k": TrainJudge(data: "pictures", steps: 1)"#);
    wrong_artifact: node(r#""j": TrainJudge(data: "teacher", steps: 1), "m": LoraMerge(loras: [("teacher", 1.0)])"#);
    wrong_artifact_of_a_command: node(r#""c": Command(program: ["true"]), "j": TrainJudge(data: "c", steps: 1)"#);
    cycle_of_three: node(r#""a": Command(program: ["true"], inputs: {"x": "c"}), "b": Command(program: ["true"], inputs: {"x": "clip", "y": "a"}), "c": Command(program: ["true"], inputs: {"x": "b"}), "d": Command(program: ["true"], inputs: {"x": "c"})"#);
    cycle_of_one: node(r#""a": Command(program: ["true"], inputs: {"x": "a"})"#);
    two_cycles: node(r#""a": Command(program: ["true"], inputs: {"x": "b"}), "b": Command(program: ["true"], inputs: {"x": "a", "y": "c"}), "c": Command(program: ["true"], inputs: {"x": "c"})"#);
    missing_file: node(r#""d": Digits(file: "data/digit.csv.gz"), "e": ImageFolder(folder: "nowhere/pictures"), "f": Digits(file: "")"#);
    unknown_settings: mistakes(&DIGITS.replace("})", r#"}, settings: {"teachr": (seed: 1), "clip": (sede: 1), "digits": 3})"#));
    wrong_settings: mistakes(&DIGITS.replace("})", r#"}, settings: {"teacher": (threads: 0, memory: "2 GiX", timeout: "soon"), "*": (device: Gpu, seed: -1)})"#));
    wrong_top_level: mistakes(r#"Pipeline(sed: 3, nodes: [], seed: "x", reproducibility: exact)"#);
    no_pipeline: mistakes(r#"{"digits": Digits(file: "x")}"#);
    another_name: mistakes(r#"Pipelin(name: "x", nodes: {})"#);
    unknown_param: mistakes(&FULL.replace("Param(\"guidance\")", "Param(\"guidence\")"));
    undeclared_param: node(r#""j": TrainJudge(data: "digits", steps: Param("steps"))"#);
    ill_typed_param: mistakes(&FULL.replace("1.5, \"threads\": 2", "\"high\", \"threads\": 0"));
    misused_param: node(r#""j": TrainJudge(data: Param(digits), steps: Param())"#);
    param_of_a_param: mistakes(&FULL.replace("{\"guidance\": 1.5", "{\"guidance\": Param(\"threads\")"));
    syntax_nothing: mistakes(" \n");
    syntax_comma: mistakes("Pipeline(\n    name: \"x\"\n    nodes: {},\n)");
    syntax_equals: mistakes("Pipeline(name = \"x\", nodes: {})");
    syntax_unclosed: mistakes("Pipeline(\n    name: \"x\",\n    nodes: {\n)");
    syntax_never_closed: mistakes("Pipeline(\n    name: \"x\",\n    nodes: {}\n");
    syntax_closed_twice: mistakes("Pipeline(name: \"x\", nodes: {}))");
    syntax_text: mistakes("Pipeline(name: \"x, nodes: {})");
    syntax_single_quotes: mistakes("Pipeline(name: 'digits', nodes: {})");
    syntax_hash_comment: mistakes("# digits\nPipeline(name: \"x\", nodes: {})");
    syntax_quoted_field: mistakes("Pipeline(\"name\": \"x\", nodes: {})");
    syntax_map_colon: mistakes("Pipeline(name: \"x\", nodes: {\"a\" Digits()})");
    syntax_no_value: mistakes("Pipeline(name: , nodes: {})");
    syntax_two_commas: mistakes("Pipeline(name: \"x\",, nodes: {})");
    syntax_dash: mistakes("Pipeline(name: x-y, nodes: {})");
    syntax_escape: mistakes(r#"Pipeline(name: "a\qb", nodes: {})"#);
    syntax_after_the_end: mistakes("Pipeline(name: \"x\", nodes: {}) more");
    syntax_comment: mistakes("Pipeline(name: \"x\", /* nodes: {})");
    syntax_depth: mistakes(&format!("Pipeline(name: {}", "[".repeat(300)));
    set_mistakes: mistakes_with(FULL, &set(&[
        "tscd-8.steps=0",
        "tscd.4.stepps=3",
        "techer.steps=3",
        "tscd-8.rank=[1",
        "tscd.4.student=\"tscd-9\"",
        "reward.rewards.0.weight=-1",
        "reward.rewards.7.weight=1",
        "merged.loras.0.0.deeper=1",
        "text.env.0=\"A\"",
        "eval.judges.x=1",
        "params.guidance=\"high\"",
        "params.thread=3",
        "settings.clp.threads=1",
        "settings.clip.threads=0",
        "seed=-1",
        "teacher",
        "",
    ]));
}

#[test]
fn set_changes_the_file() {
    let pipeline = good_with(
        FULL,
        &set(&[
            "tscd.4.steps=300",
            "tscd-8.lr=1e-4",
            "reward.rewards.1.weight=2.5",
            "merged.loras.0=(\"tscd-8\", 0.5)",
            "eval.loras.new=\"tscd-8\"",
            "params.guidance=3.0",
            "settings.judge.threads=5",
            "settings.*.retries=4",
            "settings.teacher.seed=9",
            "seed=8",
            "reproducibility=Exact",
            "nodes.digits.held_out=0.5",
            "text=Command(program: [\"a=b\"])",
        ]),
    );
    let Kind::SegmentDistill(tscd4) = &pipeline.nodes["tscd.4"].kind else { panic!("another kind") };
    assert_eq!(tscd4.steps.get(), 300);
    let Kind::SegmentDistill(tscd8) = &pipeline.nodes["tscd-8"].kind else { panic!("another kind") };
    assert_eq!(tscd8.lr.get(), 1e-4);
    let Kind::ScoreDistill(unified) = &pipeline.nodes["unified"].kind else { panic!("another kind") };
    assert_eq!(unified.guidance.get(), 3.0);
    let Kind::Digits(digits) = &pipeline.nodes["digits"].kind else { panic!("another kind") };
    assert_eq!(digits.held_out.get(), 0.5);
    assert_eq!(pipeline.nodes["merged"].inputs["loras.0.0"], "tscd-8");
    assert_eq!(pipeline.nodes["eval"].inputs["loras.new"], "tscd-8");
    assert_eq!(pipeline.nodes["text"].inputs.len(), 0);
    let settings = |node: &str| &pipeline.nodes[node].settings;
    assert_eq!((settings("judge").threads, settings("judge").retries), (Some(5), 4));
    assert_eq!((settings("teacher").seed, settings("clip").retries), (Some(9), 0));
    assert_eq!((pipeline.seed, pipeline.exact), (8, true));
}

#[test]
fn a_file_of_parameters_changes_them_and_set_wins() {
    let folder = Folder::new();
    std::fs::write(folder.path("more.ron"), "{\"guidance\": 4.0, \"threads\": 8}").unwrap();
    let overrides = Overrides { set: vec!["params.threads=3".to_owned()], params: Some(folder.path("more.ron")) };
    let pipeline = folder.parse(FULL, &overrides).unwrap();
    assert_eq!(pipeline.nodes["teacher"].settings.threads, Some(3));
    let Kind::ScoreDistill(unified) = &pipeline.nodes["unified"].kind else { panic!("another kind") };
    assert_eq!(unified.guidance.get(), 4.0);
}

#[test]
fn mistakes_in_a_file_of_parameters_point_into_it() {
    let folder = Folder::new();
    let told = |name: &str, text: &str| {
        std::fs::write(folder.path(name), text).unwrap();
        let overrides = Overrides { set: Vec::new(), params: Some(folder.path(name)) };
        folder.render(&folder.parse(FULL, &overrides).unwrap_err())
    };
    insta::assert_snapshot!(
        "params_file",
        [
            told("a.ron", "{\n    \"guidance\": \"high\",\n    \"thread\": 2,\n}"),
            told("b.ron", "{\"guidance\": 1.0, \"guidance\": 2.0, \"threads\" 3}"),
            told("c.ron", "(guidance: 1.0)"),
        ]
        .join("\n")
    );
    let overrides = Overrides { set: Vec::new(), params: Some(folder.path("absent.ron")) };
    let errors = folder.parse(FULL, &overrides).unwrap_err();
    assert!(errors.findings[0].message.starts_with("failed to read the parameters in "), "{errors:?}");
}

#[test]
fn warnings_do_not_stop_a_pipeline() {
    let folder = Folder::new();
    let text = r#"Pipeline(name: "p", params: {"unused": 1}, nodes: {
        "a": Command(program: ["python3", "data/digits.csv.gz"]),
        "b": Command(program: ["sh", "-c", "cat data/digits.csv.gz", "data"], files: {"src": "data"}),
        "d": Digits(file: "data/digits.csv.gz"),
    }, settings: {"a": (sample_every: 3), "d": (checkpoint_seconds: 3.0), "*": (sample_every: 5)})"#;
    let pipeline = folder.parse(text, &Overrides::default()).unwrap();
    let told: Vec<String> = pipeline.warnings.iter().map(|warning| folder.render(warning)).collect();
    insta::assert_snapshot!("warnings", told.join("\n"));
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let folder = Folder::new();
    let errors = load(&folder.path("absent.ron"), &Overrides::default()).unwrap_err();
    let told = folder.render(&errors);
    assert!(told.contains("failed to read absent.ron: No such file"), "{told}");
    std::fs::write(folder.path("latin.ron"), b"Pipeline(name: \"\xff\")").unwrap();
    let told = folder.render(&load(&folder.path("latin.ron"), &Overrides::default()).unwrap_err());
    assert!(told.contains("failed to read latin.ron") && told.contains("UTF-8"), "{told}");
}

#[test]
fn a_finding_as_json_has_line_and_column() {
    let folder = Folder::new();
    let errors = folder.parse("Pipeline(\n  name: \"é\", sed: 3, nodes: {})", &Overrides::default()).unwrap_err();
    let json = serde_json::to_value(&errors.findings[0]).unwrap();
    assert_eq!(json["message"], "`Pipeline` has no field `sed`");
    assert_eq!(json["help"], "did you mean `seed`?");
    assert_eq!((json["line"].as_u64(), json["column"].as_u64()), (Some(2), Some(14)));
    assert!(json["file"].as_str().unwrap().ends_with("p.ron"));
}

fn chain(length: usize, first: &str) -> String {
    let node = |i: usize| {
        let before = if i == 0 { first.to_owned() } else { format!("inputs: {{\"left\": \"n{}\"}}", i - 1) };
        format!("\"n{i}\": Command(program: [\"sh\", \"-c\", \"cat $FLOW_IN_LEFT/x > $FLOW_OUT/x\"], {before}),\n")
    };
    format!("Pipeline(name: \"chain\", nodes: {{\n{}}})", (0..length).map(node).collect::<String>())
}

#[test]
fn a_chain_of_ten_thousand_is_nothing_special() {
    let pipeline = good(&chain(10_000, ""));
    assert_eq!(pipeline.nodes["n9999"].inputs["inputs.left"], "n9998");
}

#[test]
fn a_long_cycle_is_told_once_and_shortly() {
    let folder = Folder::new();
    let errors = folder.parse(&chain(10_000, "inputs: {\"left\": \"n9999\"}"), &Overrides::default()).unwrap_err();
    assert_eq!(errors.findings.len(), 1);
    let message = &errors.findings[0].message;
    assert_eq!(
        message,
        "nodes take each other in a cycle: n0 → n9999 → n9998 → n9997 → n9996 → n9995 → … (9989 more) … → n5 → n4 → n3 → n2 → n1 → n0"
    );
}

#[test]
fn ten_thousand_mistakes_are_counted_and_the_first_are_shown() {
    let folder = Folder::new();
    let text = chain(10_000, "").replace("\"left\": \"n", "\"left\": \"m");
    let errors = folder.parse(&text, &Overrides::default()).unwrap_err();
    assert_eq!(errors.findings.len(), 9_999);
    assert_eq!(errors.related().unwrap().count(), 100);
    assert!(errors.to_string().starts_with("9999 mistakes in "));
}

#[test]
fn every_pipeline_that_ships_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "ron") {
            let pipeline = load(&path, &Overrides::default()).unwrap_or_else(|errors| panic!("{errors:?}"));
            assert!(!pipeline.nodes.is_empty(), "{}", path.display());
        }
    }
}

#[test]
fn every_kind_and_field_is_documented() {
    for name in Kind::NAMES {
        let kind = KindDescription::of(name).unwrap();
        assert!(!kind.params.doc.is_empty(), "{name}");
        for field in &kind.params.fields {
            assert!(!field.doc.is_empty(), "{name}.{}", field.name);
            assert_ne!(kind.params.takes(field), "a value", "{name}.{}", field.name);
        }
    }
    assert!(KindDescription::of("Nothing").is_none());
}

/// The defaults that the documentation shows can be written in a file.
#[test]
fn documented_defaults_are_what_the_language_takes() {
    for name in Kind::NAMES {
        let kind = KindDescription::of(name).unwrap();
        for field in &kind.params.fields {
            let Some(default) = kind.params.default(field) else { continue };
            let text = DIGITS.replace("// more", &format!("\"x\": {name}({}: {default})", field.name));
            let folder = Folder::new();
            let told = folder.parse(&text, &Overrides::default()).map_or_else(|errors| errors.findings, |_| Vec::new());
            let of_the_default = told.iter().filter(|finding| !finding.message.contains("needs"));
            assert_eq!(of_the_default.count(), 0, "{text}: {told:?}");
        }
    }
}

#[test]
fn the_schema_has_every_kind_and_setting() {
    let schema = json_schema();
    let text = schema.to_string();
    for name in Kind::NAMES {
        assert!(schema["$defs"].get(name).is_some(), "{name}");
    }
    for setting in ["device", "memory", "timeout", "checkpoint_seconds"] {
        assert!(schema["$defs"]["NodeSettings"]["properties"].get(setting).is_some(), "{setting}");
    }
    assert_eq!(schema["$defs"]["NodeSettings"]["additionalProperties"], false);
    assert!(text.contains("\"x-artifact\":\"Model\""));
}

/// A change of a text: what is cut out, where, and what is put there.
fn mutations() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    const PIECES: [&str; 32] = [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"",
        "'",
        "\\",
        "0",
        "-1",
        "1.5",
        "é",
        "Param(\"guidance\")",
        "Param(",
        "Some(",
        "None",
        "//",
        "/*",
        "*/",
        "r#\"",
        "#",
        "steps: 3,",
        "\"digits\"",
        "\n",
        "b'x'",
        "..",
        "NaN",
        "\u{0}",
        "=",
    ];
    let text =
        prop_oneof![Just(String::new()), proptest::sample::select(&PIECES[..]).prop_map(str::to_owned), ".{0,3}"];
    proptest::collection::vec((0..FULL.len(), 0..12usize, text), 1..4)
}

fn mutate(changes: Vec<(usize, usize, String)>) -> String {
    let mut text: Vec<char> = FULL.chars().collect();
    for (at, cut, new) in changes {
        let start = at.min(text.len());
        let end = (start + cut).min(text.len());
        text.splice(start..end, new.chars());
    }
    text.into_iter().collect()
}

fn assert_spans_are_inside(errors: &PipelineErrors) {
    assert!(!errors.findings.is_empty());
    for finding in &errors.findings {
        for label in &finding.labels {
            let text = finding.source.as_ref().expect("a label has a source").inner();
            assert!(text.get(label.range.clone()).is_some(), "{:?} in {finding}", label.range);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { fork: false, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_text_is_read_or_told(changes in mutations()) {
        let folder = Folder::new();
        if let Err(errors) = folder.parse(&mutate(changes), &Overrides::default()) {
            assert_spans_are_inside(&errors);
            folder.render(&errors);
        }
    }

    #[test]
    fn any_set_is_taken_or_told(
        path in "(tscd\\.4|reward|params|settings|nodes|seed|é)(\\.[a-z0-9*]{0,7}|\\.rewards|\\.0|\\.weight|\\.teacher){0,3}",
        value in "(=(0|\"x\"|Param\\(\"guidance\"\\)|\\(a: 1\\)|\\[\\]|.{0,4}))?",
    ) {
        let folder = Folder::new();
        if let Err(errors) = folder.parse(FULL, &set(&[&format!("{path}{value}")])) {
            assert_spans_are_inside(&errors);
            folder.render(&errors);
        }
    }
}
