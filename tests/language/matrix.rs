//! `matrix`: one node of the file stands for many.

use hyper_flow::pipeline::{Overrides, Pipeline};
use hyper_flow_spec::Kind;

use crate::support::{Folder, good, good_with, mistakes, mistakes_with, set};

/// Arms with lists of stages of their own, repeated with seeds, and a node that takes all.
pub(crate) const SWEPT: &str = r#"Pipeline(name: "swept", seed: 7,
    params: {"steps": 100},
    matrix: {
        "seed": [1, 2],
        "single": {"lcm": (rank: 8, weighting: Jump), "tcd": (rank: 4, weighting: Uniform)},
        "arm": ["lcm", "tcd", "tscd"],
        "start": {"none": None, "tscd": Some("tscd@{seed}")},
    },
    nodes: {
        "digits": Digits(file: "data/digits.csv.gz"),
        "clip": TrainClip(data: "digits", steps: 10),
        "teacher": TrainTeacher(data: "digits", text: "clip", steps: 10),
        "{single}@{seed}": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 400,
            rank: Param("single.rank"), weighting: Param("single.weighting")),
        "half@{seed}": SegmentDistill(teacher: "teacher", data: "digits", segments: 8, steps: Param("steps")),
        "tscd@{seed}": SegmentDistill(teacher: "teacher", data: "digits", student: "half@{seed}", segments: 1, steps: 300),
        "dmd-{start}@{seed}": ScoreDistill(teacher: "teacher", data: "digits", student: Param("start"), steps: 10),
        "eval@{seed}": Eval(teacher: "teacher", data: "digits", clip: "clip",
            loras: {"{arm}": "{arm}@{seed}", "dmd from {start}": "dmd-{start}@{seed}"}),
        "all": LoraMerge(loras: [("{arm}@{seed}", 0.5)]),
        "text": Command(program: ["echo", "{{seed}} ${x}"], inputs: {"e{seed}": "eval@{seed}"}),
    },
    settings: {
        "*": (threads: 1, seed: 5),
        "half@{seed}": (threads: 2, retries: 1),
        "half@2": (threads: 3),
    },
)"#;

fn seed(pipeline: &Pipeline, node: &str) -> Option<u64> {
    pipeline.nodes[node].settings.seed
}

fn inputs<'p>(pipeline: &'p Pipeline, node: &str) -> Vec<(&'p str, &'p str)> {
    pipeline.nodes[node].inputs.iter().map(|(port, name)| (port.as_str(), name.as_str())).collect()
}

#[test]
fn a_node_with_an_axis_in_its_name_is_one_for_each_value() {
    let pipeline = good(SWEPT);
    let names: Vec<&str> = pipeline.nodes.keys().map(String::as_str).collect();
    let swept = ["dmd-none@1", "dmd-none@2", "dmd-tscd@1", "dmd-tscd@2", "eval@1", "eval@2", "half@1", "half@2"];
    assert_eq!(names[3..11], swept, "{names:?}");
    assert_eq!(names.len(), 19);
    assert_eq!(pipeline.swept["{single}@{seed}"], ["lcm@1", "tcd@1", "lcm@2", "tcd@2"]);
    assert!(!pipeline.swept.contains_key("all") && pipeline.warnings.is_empty());
}

#[test]
fn its_fields_take_the_values_by_name_and_by_field() {
    let pipeline = good(SWEPT);
    let rank = |node: &str| match &pipeline.nodes[node].kind {
        Kind::SegmentDistill(params) => params.rank.get(),
        other => panic!("{other:?}"),
    };
    assert_eq!((rank("lcm@1"), rank("tcd@2"), rank("tscd@1")), (8, 4, 16));
    assert_eq!(inputs(&pipeline, "tscd@2")[1], ("student", "half@2"));
    // A value may name another axis, and may be no student at all.
    assert_eq!(inputs(&pipeline, "dmd-tscd@2")[1], ("student", "tscd@2"));
    assert_eq!(inputs(&pipeline, "dmd-none@2"), [("data", "digits"), ("teacher", "teacher")]);
}

#[test]
fn the_axis_seed_is_the_seed_of_its_nodes() {
    let pipeline = good(SWEPT);
    assert_eq!(
        (seed(&pipeline, "lcm@1"), seed(&pipeline, "eval@2"), seed(&pipeline, "teacher")),
        (Some(1), Some(2), Some(5))
    );
    let own = good(&SWEPT.replace("\"half@2\": (", "\"half@2\": (seed: 9, "));
    assert_eq!((seed(&own, "half@1"), seed(&own, "half@2")), (Some(1), Some(9)));
}

#[test]
fn in_a_list_or_the_key_of_a_map_an_open_axis_stands_for_all() {
    let pipeline = good(SWEPT);
    let loras: Vec<_> = inputs(&pipeline, "eval@2").into_iter().filter(|(port, _)| port.starts_with("loras")).collect();
    let expected = [
        ("loras.dmd from none", "dmd-none@2"),
        ("loras.dmd from tscd", "dmd-tscd@2"),
        ("loras.lcm", "lcm@2"),
        ("loras.tcd", "tcd@2"),
        ("loras.tscd", "tscd@2"),
    ];
    assert_eq!(loras, expected);
    let all: Vec<&str> = inputs(&pipeline, "all").iter().map(|(_, node)| *node).collect();
    assert_eq!(all, ["lcm@1", "tcd@1", "tscd@1", "lcm@2", "tcd@2", "tscd@2"]);
    assert_eq!(inputs(&pipeline, "text"), [("inputs.e1", "eval@1"), ("inputs.e2", "eval@2")]);
    let Kind::Command(text) = &pipeline.nodes["text"].kind else { panic!("another kind") };
    assert_eq!(text.program[1], "{seed} ${x}");
}

#[test]
fn what_is_said_of_one_node_goes_before_what_is_said_of_all() {
    let settings = |node: &str| good(SWEPT).nodes[node].settings.clone();
    assert_eq!((settings("half@1").threads, settings("half@2").threads), (Some(2), Some(3)));
    assert_eq!((settings("half@2").retries, settings("teacher").threads), (1, Some(1)));
}

#[test]
fn set_reaches_the_matrix_all_nodes_of_a_name_and_one() {
    let pipeline = good_with(
        SWEPT,
        &set(&[
            "matrix.seed=[2, 4, 5]",
            "half@{seed}.steps=20",
            "half@4.steps=30",
            "half@5.steps=Param(\"steps\")",
            "settings.half@4.threads=8",
            "matrix.single.tcd.rank=2",
        ]),
    );
    let steps = |node: &str| match &pipeline.nodes[node].kind {
        Kind::SegmentDistill(params) => params.steps.get(),
        other => panic!("{other:?}"),
    };
    assert_eq!((steps("half@2"), steps("half@4"), steps("half@5")), (20, 30, 100));
    assert_eq!(pipeline.nodes["half@4"].settings.threads, Some(8));
    let Kind::SegmentDistill(tcd) = &pipeline.nodes["tcd@2"].kind else { panic!("another kind") };
    assert_eq!(tcd.rank.get(), 2);
}

#[test]
fn without_a_matrix_braces_are_braces() {
    let pipeline = good(r#"Pipeline(name: "p", nodes: {"a": Command(program: ["echo", "{seed} {{x}}"])})"#);
    let Kind::Command(command) = &pipeline.nodes["a"].kind else { panic!("another kind") };
    assert_eq!(command.program[1], "{seed} {{x}}");
}

/// A small pipeline with this matrix, these nodes and these settings.
fn wrong(matrix: &str, nodes: &str, settings: &str) -> String {
    mistakes(&format!(
        "Pipeline(name: \"p\", params: {{\"width\": 8}}, matrix: {{{matrix}}}, nodes: {{\n    \"d\": Digits(file: \"data/digits.csv.gz\"),\n    {nodes}\n}}, settings: {{{settings}}})"
    ))
}

macro_rules! told {
    ($($name:ident: $report:expr;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!(concat!("matrix_", stringify!($name)), $report);
        })*
    };
}

const SEEDS: &str = r#""seed": [1, 2, 3]"#;

told! {
    unknown_axis: wrong(SEEDS, r#""j@{sed}": TrainJudge(data: "d", steps: 1, width: Param("sed")), "k@{seed}": TrainJudge(data: "d@{sed}", steps: Param("width"))"#, r#""j@{se}": (threads: 1)"#);
    no_matrix_at_all: mistakes(r#"Pipeline(name: "p", nodes: {"d@{seed}": Digits(file: "data/digits.csv.gz"), "j": TrainJudge(data: "d@{seed}", steps: 1)})"#);
    open_axis: wrong(SEEDS, r#""j@{seed}": TrainJudge(data: "d", steps: Param("width")), "c": Command(program: ["true"], inputs: {"j": "j@{seed}"}), "k": TrainJudge(data: "d", steps: Param("seed"))"#, r#""j@{seed}": (threads: 1), "c": (retries: Param("seed"))"#);
    a_mistake_is_told_once: wrong(SEEDS, r#""j@{seed}": TrainJudge(data: "e@{seed}", stepps: 1, width: Param("width"))"#, r#""j@{seed}": (thread: 1), "k@{seed}": (threads: 1)"#);
    a_cycle_is_told_once: wrong(SEEDS, r#""a@{seed}": Command(program: ["true", "{seed}"], inputs: {"x": "b@{seed}"}), "b@{seed}": Command(program: ["true"], inputs: {"x": "a@{seed}"})"#, r#""d": (threads: Param("width"))"#);
    a_value_that_does_not_fit: wrong(r#""size": [8, 0, "x"]"#, r#""j@{size}": TrainJudge(data: "d", steps: Param("width"), width: Param("size"))"#, "");
    bad_axes: wrong(r#""a b": [1], "c": [], "d": {}, "e": 3, "f": [(1, 2)], "g": [1, 2, 1], "seed": [1, -1], "h": [Param("g")]"#, "", "");
    field_of_a_value: wrong(r#""arm": {"a": (steps: 1), "b": (stepz: 2)}"#, r#""j@{arm}": TrainJudge(data: "d", steps: Param("arm.steps"), width: Param("width"))"#, "");
    equal_names: wrong(r#""a": [1, 11], "b": [11, 1]"#, r#""j{a}{b}": TrainJudge(data: "d", steps: Param("width")), "j111": TrainJudge(data: "d", steps: 1), "m@{a}": Command(program: ["true"], inputs: {"x": "d", "x{b}": "d", "x1": "d"})"#, "");
    unused_axis_is_a_mistake_on_the_command_line: mistakes_with(SWEPT, &set(&["matrix.sed=[1]", "half@3.steps=1", "half@{seed}.stepps=1", "settings.half@9.threads=1"]));
    no_map: mistakes(r#"Pipeline(name: "p", matrix: [1], nodes: {"d": Digits(file: "data/digits.csv.gz")})"#);
}

#[test]
fn an_axis_that_nothing_uses_is_warned_of() {
    let text = r#"Pipeline(name: "p", matrix: {"x": [1]}, nodes: {"d": Digits(file: "data/digits.csv.gz")})"#;
    let folder = Folder::new();
    let pipeline = folder.parse(text, &Overrides::default()).unwrap();
    assert_eq!(pipeline.warnings.len(), 1);
    assert!(folder.render(&pipeline.warnings[0]).contains("the axis `x` is never used"));
}
