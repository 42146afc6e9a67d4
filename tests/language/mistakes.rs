//! Every mistake, as the user reads it.

use hyper_flow::pipeline::{Overrides, load};

use crate::support::{DIGITS, FULL, Folder, mistakes, mistakes_with, node, set};

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
    methods_of_one_segment: node(r#""s": SegmentDistill(teacher: "teacher", data: "digits", segments: 8, method: Lcm, steps: 1), "t": SegmentDistill(teacher: "teacher", data: "digits", segments: 2, method: Tcd, steps: 1, adversarial: (wight: 0.1))"#);
    steps_that_cannot_be_drawn_in: node(r#""s": ScoreDistill(teacher: "teacher", data: "digits", steps: 1, rollouts: []), "t": ScoreDistill(teacher: "teacher", data: "digits", steps: 1, rollouts: [1, 60], sampler: Lcm, timestep: 800, pairs: "p"), "p": OdePairs(teacher: "teacher", data: "digits")"#);
    shards_from_nowhere: node(r#""w": WebDataset(), "x": WebDataset(shards: []), "y": WebDataset(shards: ["data"], urls: [("https://a/b.tar", "00")], channels: 2), "z": WebDataset(urls: [("a/b.tar", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")])"#);
    exports_of_nothing: node(r#""e": Export(model: "teacher"), "f": Export(model: "teacher", formats: []), "g": Export(model: "teacher", lora: "s", formats: [Model]), "s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1)"#);
    unknown_kind: node(r#""s": SegmentDistil(teacher: "teacher", anything: 1)"#);
    no_kind: node(r#""s": "digits", "t": (data: "digits"), "u": 3"#);
    positional_fields: node(r#""s": Digits("data/digits.csv.gz")"#);
    bad_node_names: node(r#"s: Digits(file: "data"), "*": Digits(file: "data"), "": Digits(file: "data"), "a\nb": Digits(file: "data")"#);
    unknown_node: node(r#""j": TrainJudge(data: "digit", steps: 1), "k": TrainJudge(data: "pictures", steps: 1)"#);
    wrong_artifact: node(r#""j": TrainJudge(data: "teacher", steps: 1), "m": LoraMerge(loras: [("teacher", 1.0)])"#);
    wrong_artifact_of_a_command: node(r#""c": Command(program: ["true"]), "j": TrainJudge(data: "c", steps: 1)"#);
    wrong_artifact_of_two: node(r#""l": Command(program: ["true"], output: Latents), "c": Command(program: ["true"]), "s": SegmentDistill(teacher: "teacher", data: "clip", segments: 1, steps: 1), "t": SegmentDistill(teacher: "teacher", data: "c", segments: 1, steps: 1), "u": SegmentDistill(teacher: "teacher", segments: 1, steps: 1)"#);
    training_on_what_has_no_gradient: node(r#""c": CommandScorer(program: ["score"]), "e": Eval(teacher: "teacher", data: "digits", loras: {}, clip: "clip", scores: {"mine": "c"}), "f": Eval(teacher: "teacher", data: "digits", loras: {}, clip: "clip", reward: "c")"#);
    gates_of_nothing: node(r#""e": Eval(teacher: "teacher", data: "digits", loras: {}, clip: "clip", compare: [("tscd", "teacher")]), "g": Gate(metrics: "e", require: []), "h": Gate(metrics: "e", require: [(candidate: "teacher", number: "frechet")])"#);
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
    syntax_hash_comments: [
        mistakes("Pipeline(\n    name: \"x\", # the name\n    nodes: {},\n)"),
        mistakes("Pipeline(name: \"x\", nodes: {\n    # \"a\": Digits(file: \"x\"),\n})"),
        mistakes("Pipeline(name: \"x\",\n    #\n    nodes: {})"),
    ].join("\n");
    syntax_missing_quotes: [
        mistakes("Pipeline(\n    name: \"x,\n    nodes: {\n        \"d\": Digits(file: \"data/digits.csv.gz\"),\n    },\n)"),
        mistakes("Pipeline(\n    name: \"x\",\n    nodes: {\n        \"d: Digits(file: \"data/digits.csv.gz\"),\n    },\n)"),
        mistakes("Pipeline(\n    name: \"x\",\n    nodes: {\n        \"d\": Digits(file: data/digits.csv.gz\"),\n    },\n)"),
        mistakes("Pipeline(name: \"x\", seed: 1\", nodes: {})"),
    ].join("\n");
    syntax_unit: mistakes("Pipeline(name: \"x\", nodes: {}, settings: {\"*\": (timeout: 1 hour, memory: 2 GiB)})");
    plain_values_in_quotes: node(r#""j": TrainJudge(data: "digits", steps: "10", lr: "1e-3"), "i": ImageFolder(folder: "data", flip: "true", size: "big")"#);
    amounts: mistakes(&DIGITS.replace("})", r#"}, settings: {"teacher": (memory: 2, timeout: "1 hour"), "clip": (memory: "2", timeout: "90"), "digits": (timeout: "1 fortnight")})"#));
    typos_told_once: mistakes(r#"Pipeline(nam: "x", nodes: {"d": Digits(fil: "data/digits.csv.gz"), "c": TrainClip(dta: "d", stps: 10, lrr: 1.0)})"#);
    not_encoded: latent(r#""s": SegmentDistill(teacher: "model", data: "digits", segments: 1, steps: 1), "f": FinetuneLora(model: "fused", data: "digits", steps: 1), "g": LoraFuse(model: "model", loras: [("s", 1.0)]), "o": OdePairs(teacher: "g", data: "digits")"#);
    not_encoded_but_there: latent(r#""latents": EncodeLatents(model: "model", data: "digits"), "r": RewardFinetune(teacher: "model", student: "x", data: "digits", steps: 1, rewards: [Brightness(weight: 1.0)]), "x": ScoreDistill(teacher: "model", data: "latents", steps: 1)"#);
    needlessly_encoded: latent(r#""l": EncodeLatents(model: "model", data: "digits"), "s": SegmentDistill(teacher: "teacher", data: "l", segments: 1, steps: 1), "m": EncodeLatents(model: "teacher", data: "digits"), "t": SegmentDistill(teacher: "teacher", data: "m", segments: 1, steps: 1)"#);
    of_another_vae: latent(r#""v": TrainVae(data: "digits", steps: 1), "w": TrainTeacher(data: "digits", text: "clip", vae: "v", steps: 1), "l": EncodeLatents(model: "w", data: "digits"), "s": SegmentDistill(teacher: "model", data: "l", segments: 1, steps: 1)"#);
    of_another_shape: node(r#""i": ImageFolder(folder: "data"), "s": SegmentDistill(teacher: "teacher", data: "i", segments: 1, steps: 1)"#);
    without_masks: node(r#""m": TrainSegmenter(data: "digits", steps: 1), "s": SegmentDistill(teacher: "teacher", data: "digits", segments: 1, steps: 1), "r": RewardFinetune(teacher: "teacher", student: "s", data: "digits", steps: 1, rewards: [Brightness(weight: 1.0)], perception: (model: "m"))"#);
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

/// The mistakes of nodes beside a model of latents and one of pixels.
fn latent(nodes: &str) -> String {
    let model = r#""vae": TrainVae(data: "digits", steps: 1), "model": TrainTeacher(data: "digits", text: "clip", vae: "vae", steps: 1), "fused": LoraFuse(model: "model", loras: [("lora", 1.0)]), "lora": PretrainedLora(path: "data/digits.csv.gz", model: "model"), "#;
    node(&format!("{model}{nodes}"))
}

#[test]
fn what_goes_together_is_no_mistake() {
    let good = [
        r#""v": TrainVae(data: "digits", steps: 1), "m": TrainTeacher(data: "digits", text: "clip", vae: "v", steps: 1), "l": EncodeLatents(model: "m", data: "digits"), "s": SegmentDistill(teacher: "f", data: "l", segments: 1, steps: 1), "f": LoraFuse(model: "m", loras: [("p", 1.0)]), "p": PretrainedLora(path: "data/digits.csv.gz", model: "m")"#,
        r#""c": Command(program: ["true"], output: Latents), "s": SegmentDistill(teacher: "teacher", data: "c", segments: 1, steps: 1), "t": Command(program: ["true"], output: Model), "u": SegmentDistill(teacher: "t", data: "digits", segments: 1, steps: 1)"#,
        r#""b": ImageFolder(folder: "data", buckets: [(8, 8)]), "s": SegmentDistill(teacher: "teacher", data: "b", segments: 1, steps: 1)"#,
        r#""d": Digits(file: "data/digits.csv.gz", masks: 0.5), "m": TrainSegmenter(data: "d", steps: 1)"#,
    ];
    let folder = Folder::new();
    for nodes in good {
        let text = DIGITS.replace("// more", nodes);
        folder.parse(&text, &Overrides::default()).unwrap_or_else(|errors| panic!("{}", folder.render(&errors)));
    }
}

#[test]
fn a_text_with_a_mark_of_its_encoding_is_read_and_one_of_another_is_told() {
    let folder = Folder::new();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path(name), bytes).unwrap();
    let told = |name: &str| folder.render(&load(&folder.path(name), &Overrides::default()).unwrap_err());
    write("bom.ron", "\u{FEFF}Pipeline(name: \"x\", nodes: {\"a\": Command(program: [\"true\"])})".as_bytes());
    assert!(load(&folder.path("bom.ron"), &Overrides::default()).is_ok());
    write("latin.ron", b"Pipeline(\n    name: \"caf\xe9\", nodes: {})");
    insta::assert_snapshot!(told("latin.ron"), @r"
      × 1 mistake in latin.ron

      × failed to read latin.ron: line 2, column 15 is the byte 0xE9, which is no UTF-8; in Latin-1 it is `é`
      help: save it as UTF-8 in an editor, or: iconv -f LATIN1 -t UTF-8 latin.ron > new.ron
    ");
    let wide: Vec<u8> = "\u{FEFF}Pipeline()".encode_utf16().flat_map(u16::to_le_bytes).collect();
    write("wide.ron", &wide);
    insta::assert_snapshot!(told("wide.ron"), @r"
      × 1 mistake in wide.ron

      × failed to read wide.ron: it is UTF-16, and UTF-8 is read
      help: save it as UTF-8 in an editor, or: iconv -f UTF-16 -t UTF-8 wide.ron > new.ron
    ");
    write("binary.ron", b"\x00\xff");
    insta::assert_snapshot!(told("binary.ron"), @r"
      × 1 mistake in binary.ron

      × failed to read binary.ron: it is no text
      help: give the path of a pipeline file, for example `pipelines/hello.ron`
    ");
    let overrides = Overrides { params: Some(folder.path("latin.ron")), ..Overrides::default() };
    let errors = folder.parse(DIGITS, &overrides).unwrap_err();
    assert!(errors.findings[0].help.as_ref().unwrap().contains("iconv -f LATIN1"), "{errors:?}");
}

#[test]
fn mistakes_are_told_of_the_text_that_holds_them() {
    let folder = Folder::new();
    std::fs::write(folder.path("mine.ron"), "{\"guidance\": \"high\"}").unwrap();
    let wrong_file = FULL.replace("judge: \"judge\"", "judge: \"nobody\"");
    let place = |text: &str, set: &[&str], params: bool| {
        let params = params.then(|| folder.path("mine.ron"));
        let overrides = Overrides { set: set.iter().map(|s| (*s).to_owned()).collect(), params, store: None };
        let told = folder.parse(text, &overrides).unwrap_err().to_string();
        told.replace(&format!("{}/", folder.path("").display()).replace("//", "/"), "")
    };
    assert_eq!(place(FULL, &["judge.stepps=1"], false), "1 mistake in `--set`");
    assert_eq!(place(FULL, &[], true), "1 mistake in mine.ron");
    assert_eq!(place(&wrong_file, &[], false), "1 mistake in p.ron");
    assert_eq!(place(&wrong_file, &["judge.stepps=1"], true), "3 mistakes in p.ron and mine.ron and `--set`");
}

#[test]
fn mistakes_in_a_file_of_parameters_point_into_it() {
    let folder = Folder::new();
    let told = |name: &str, text: &str| {
        std::fs::write(folder.path(name), text).unwrap();
        let overrides = Overrides { set: Vec::new(), params: Some(folder.path(name)), store: None };
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
    let overrides = Overrides { set: Vec::new(), params: Some(folder.path("absent.ron")), store: None };
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
fn a_program_that_names_a_file_beside_it_is_told() {
    let folder = Folder::new();
    for name in ["tool.sh", "script.py", "small.json"] {
        std::fs::write(folder.path(name), "").unwrap();
    }
    let absolute = folder.path("tool.sh");
    let told = |kind: &str, program: &str, files: &str| {
        let text = format!("Pipeline(name: \"p\", nodes: {{\"a\": {kind}(program: [{program}]{files})}})");
        let warnings =
            folder.parse(&text, &Overrides::default()).unwrap_or_else(|e| panic!("{}", folder.render(&e))).warnings;
        warnings.into_iter().map(|warning| (warning.message, warning.help.unwrap())).collect::<Vec<_>>()
    };
    for (program, message) in [
        (r#""tool.sh""#, "the program `tool.sh` is a file"),
        (r#""./tool.sh""#, "the program `./tool.sh` is a file"),
        (r#""python3", "script.py""#, "the argument `script.py` is a file"),
        (r#""python3", "-u", "./script.py", "x""#, "the argument `./script.py` is a file"),
        (r#""python3", "--config=small.json""#, "the argument `small.json` is a file"),
        (r#""sh", "-c", "set -e; python3 script.py > $FLOW_OUT/x""#, "the script's `script.py` is a file"),
        (&format!("{absolute:?}"), "the program `"),
    ] {
        for kind in ["Command", "CommandScorer"] {
            let warnings = told(kind, program, "");
            assert_eq!(warnings.len(), 1, "{program}: {warnings:?}");
            assert!(warnings[0].0.starts_with(message) && warnings[0].0.ends_with("that `files` does not give"));
            assert!(warnings[0].1.contains("name it in `files`, and write `$FLOW_FILE_"), "{warnings:?}");
        }
    }
    let warnings = told("Command", r#""python3", "./script.py""#, r#", files: {"script": "script.py"}"#);
    assert!(warnings[0].1.starts_with("the command runs in an empty directory"), "{warnings:?}");
    for program in [
        r#""sh", "-c", "python3 $FLOW_FILE_SCRIPT""#,
        r#""sh", "-c", "cd $FLOW_FILE_SRC && python3 script.py""#,
        r#""/bin/sh", "-c", "true""#,
        r#""python3", "no-such-script.py""#,
        r#""true", ".""#,
    ] {
        assert_eq!(told("Command", program, ""), [], "{program}");
    }
    std::fs::write(folder.path("true"), "").unwrap();
    assert_eq!(told("Command", r#""true""#, ""), [], "what the system finds is meant");
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

/// As programs write pipelines: all on one line, which would be the report.
#[test]
fn a_line_too_long_to_show_is_told_by_its_place() {
    let text = format!(r#"Pipeline(name: "{}", nodes: {{"a": Comand(program: ["true"])}})"#, "x".repeat(100_000));
    insta::assert_snapshot!(mistakes(&text), @r"
      × 1 mistake in p.ron

      × there is no kind `Comand`
      help: at p.ron:1:100033, on a line too long to show
            did you mean `Command`?
    ");
}

#[test]
fn a_symbolic_link_that_leads_nowhere_is_not_suggested() {
    let folder = Folder::new();
    std::os::unix::fs::symlink("gone.csv.gz", folder.path("data/link.csv.gz")).unwrap();
    let text = r#"Pipeline(name: "p", nodes: {"d": Digits(file: "data/link.csv.gz")})"#;
    let told = folder.render(&folder.parse(text, &Overrides::default()).unwrap_err());
    assert!(told.contains("`data/link.csv.gz` is a symbolic link to something that is not there"), "{told}");
    assert!(!told.contains("did you mean"), "{told}");
}
