//! What is in a key and what is not.

use std::collections::BTreeMap;
use std::path::PathBuf;

use hyper_flow::pipeline::{Node, Pipeline, Settings, Written};
use hyper_flow::plan::Preimage;
use hyper_flow_cache::{Digest, Key};
use hyper_flow_spec::{Kind, Leaf};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::{World, lines, parse};

/// One node of every kind, with little more than it must have.
const KINDS: &[(&str, &str)] = &[
    ("Digits", r#"{"file": "file"}"#),
    ("ImageFolder", r#"{"folder": "folder"}"#),
    ("WebDataset", r#"{"shards": ["shards.0", "shards.1"]}"#),
    (
        "Diffusers",
        r#"{"hub": {"repo": "org/model", "revision": "0123456789abcdef0123456789abcdef01234567"}, "variant": "fp16"}"#,
    ),
    ("PretrainedClip", r#"{"path": "path"}"#),
    ("ScoreModel", r#"{"model": {"Aesthetic": {"clip": "model.clip", "head": "model.head"}}}"#),
    ("EncodeLatents", r#"{"model": "model", "data": "data"}"#),
    ("TrainClip", r#"{"data": "data", "steps": 300}"#),
    ("TrainJudge", r#"{"data": "data", "steps": 300}"#),
    ("TrainSegmenter", r#"{"data": "data", "steps": 300}"#),
    ("TrainVae", r#"{"data": "data", "steps": 300}"#),
    ("TrainTeacher", r#"{"data": "data", "text": "text", "steps": 1200}"#),
    ("SegmentDistill", r#"{"teacher": "teacher", "data": "data", "student": "student", "segments": 4, "steps": 150}"#),
    (
        "RewardFinetune",
        r#"{"teacher": "teacher", "student": "student", "data": "data", "steps": 60,
        "rewards": [{"Clip": {"model": "rewards.0.model", "weight": 1.0}}]}"#,
    ),
    ("OdePairs", r#"{"teacher": "teacher", "data": "data"}"#),
    ("ScoreDistill", r#"{"teacher": "teacher", "data": "data", "steps": 150}"#),
    ("PretrainedLora", r#"{"path": "path", "model": "model", "alpha": 8.0}"#),
    ("FinetuneLora", r#"{"model": "model", "data": "data", "steps": 500}"#),
    ("LoraFuse", r#"{"model": "model", "loras": [["loras.0.0", 1.0]]}"#),
    ("LoraExtract", r#"{"tuned": "tuned", "base": "base", "rank": 16}"#),
    ("LoraMerge", r#"{"loras": [["loras.0.0", 1.0], ["loras.1.0", 0.5]]}"#),
    ("Sample", r#"{"model": "model", "prompts": ["a handwritten digit seven"], "steps": 4}"#),
    ("Export", r#"{"model": "model", "lora": "lora", "sampler": {"Tcd": 0.5}}"#),
    ("CommandScorer", r#"{"program": ["sh", "-c", "true"], "files": {"src": "files.src"}}"#),
    (
        "Eval",
        r#"{"teacher": "teacher", "data": "data", "loras": {"tscd": "loras.tscd"}, "judge": "judge", "clip": "clip"}"#,
    ),
    (
        "Gate",
        r#"{"metrics": "metrics", "require": [{"candidate": "tscd", "steps": 1, "number": "frechet", "at_most": 1.1,
        "of": {"Candidate": "parent"}}]}"#,
    ),
    ("Summary", r#"{"metrics": ["metrics.0", "metrics.1"]}"#),
    (
        "Command",
        r#"{"program": ["sh", "-c", "true"], "inputs": {"left": "inputs.left"}, "files": {"src": "files.src"}}"#,
    ),
];

/// Kinds whose parameters name files and nodes only, or are told elsewhere.
const NAMES_ONLY: [&str; 6] = ["Command", "CommandScorer", "Diffusers", "PretrainedClip", "ScoreModel", "Summary"];

fn kind(name: &str, params: &str) -> Kind {
    Kind::from_json(name, serde_json::from_str(params).unwrap()).unwrap()
}

fn empty() -> Pipeline {
    Pipeline {
        name: "golden".into(),
        path: PathBuf::from("golden.ron"),
        seed: 7,
        exact: false,
        nodes: BTreeMap::new(),
        swept: BTreeMap::new(),
        warnings: Vec::new(),
        written: Written::default(),
    }
}

/// With a digest for each port that follows from the port's name.
fn preimage(pipeline: &Pipeline, kind: Kind, settings: Settings) -> Preimage {
    let value = kind.value();
    let (mut inputs, mut files) = (BTreeMap::new(), BTreeMap::new());
    for (port, leaf) in value.leaves() {
        let digest = Digest::of(port.as_bytes());
        match leaf {
            Leaf::Node { .. } => inputs.insert(port, digest),
            Leaf::File(_) => files.insert(port, digest),
        };
    }
    let node = Node { name: "any".into(), kind, settings, inputs: BTreeMap::new(), files: BTreeMap::new() };
    Preimage::new(pipeline, &node, &inputs, &files, None)
}

fn key(kind: Kind) -> Key {
    preimage(&empty(), kind, Settings::default()).key()
}

/// If this fails, every artifact of the kinds below is made anew by every user. If that is meant, because
/// a kind has a new parameter without a default or a new default, raise the kind's version, run the tests
/// with `INSTA_UPDATE=always`, and say in the commit why. If it is not meant, it is a bug.
#[test]
fn golden_keys() {
    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, Kind::NAMES, "every kind has a golden key");
    let golden = KINDS.iter().map(|(name, params)| {
        let preimage = preimage(&empty(), kind(name, params), Settings::default());
        format!("{}\n  {}\n", preimage.key(), String::from_utf8(preimage.bytes()).unwrap())
    });
    insta::assert_snapshot!("golden_keys", lines(golden));
}

#[test]
fn a_preimage_is_sorted_json_without_white_space() {
    for (name, params) in KINDS {
        let bytes = preimage(&empty(), kind(name, params), Settings::default()).bytes();
        // A map of this type sorts.
        let sorted: BTreeMap<String, Value> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            serde_json::to_string(&sorted.into_iter().collect::<BTreeMap<_, _>>()).unwrap()
        );
    }
}

/// Every way to change one number, text or truth value of parameters.
fn mutations(params: &Value) -> Vec<Value> {
    let changed = |value: &Value| match value {
        Value::Bool(v) => Some(json!(!v)),
        Value::Number(n) if n.is_i64() => Some(json!(n.as_i64().unwrap() + 1)),
        Value::Number(n) => Some(json!(n.as_f64().unwrap() * 0.5 + 0.125)),
        _ => None,
    };
    match params {
        Value::Object(entries) => entries
            .iter()
            .flat_map(|(name, value)| {
                mutations(value).into_iter().map(move |new| {
                    let mut entries = entries.clone();
                    entries.insert(name.clone(), new);
                    Value::Object(entries)
                })
            })
            .collect(),
        Value::Array(items) => (0..items.len())
            .flat_map(|at| {
                mutations(&items[at]).into_iter().map(move |new| {
                    let mut items = items.clone();
                    items[at] = new;
                    Value::Array(items)
                })
            })
            .collect(),
        scalar => changed(scalar).into_iter().collect(),
    }
}

#[test]
fn every_parameter_is_in_the_key() {
    for (name, params) in KINDS {
        let before = kind(name, params);
        let mut keys = vec![key(before.clone())];
        let mut tried = 0;
        for mutated in mutations(&before.value().to_job()) {
            // Out of range now and then; the others must all differ.
            let Ok(after) = Kind::from_json(name, mutated.clone()) else { continue };
            // What is asked of a result makes no other one.
            if after.bar() != before.bar() {
                assert_eq!(key(after), keys[0], "{name} has a threshold in its key: {mutated}");
                continue;
            }
            let key = key(after);
            assert!(!keys.contains(&key), "{name} has the key of another with {mutated}");
            keys.push(key);
            tried += 1;
        }
        assert!(tried > 0 || NAMES_ONLY.contains(name), "{name} has parameters to change");
    }
}

#[test]
fn what_a_command_is_told_is_in_its_key_and_the_seed_is_not() {
    let command = |params: Value| Kind::from_json("Command", params).unwrap();
    let keys = [
        json!({"program": ["a", "b"]}),
        json!({"program": ["a b"]}),
        json!({"program": ["a", "b", ""]}),
        json!({"program": ["a", "b"], "env": ["HYPER_FLOW_TEST_UNSET"]}),
        json!({"program": ["a", "b"], "env": ["PATH"]}),
        json!({"program": ["a", "b"], "inputs": {"x": "inputs.x"}}),
        json!({"program": ["a", "b"], "files": {"x": "files.x"}}),
    ]
    .map(|params| key(command(params)));
    assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len());

    let other = Pipeline { seed: 8, ..empty() };
    let of = |pipeline: &Pipeline, kind: Kind| preimage(pipeline, kind, Settings::default()).key();
    let command = command(json!({"program": ["a"]}));
    assert_eq!(of(&empty(), command.clone()), of(&other, command));
    let (name, params) = KINDS[0];
    assert_ne!(of(&empty(), kind(name, params)), of(&other, kind(name, params)));
}

#[test]
fn what_a_hub_is_asked_for_is_in_the_key() {
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let keys = [
        json!({"hub": {"repo": "a/b", "revision": commit}}),
        json!({"hub": {"repo": "a/c", "revision": commit}}),
        json!({"hub": {"repo": "a/b", "revision": commit.replace('0', "1")}}),
        json!({"hub": {"repo": "a/b", "revision": commit, "files": ["*"]}}),
        json!({"hub": {"repo": "a/b", "revision": commit}, "variant": "fp16"}),
    ]
    .map(|params| key(Kind::from_json("Diffusers", params).unwrap()));
    assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len());
}

#[test]
fn how_a_node_is_run_is_not_in_its_key_but_its_seed() {
    let (name, params) = KINDS[4];
    let with = |settings: Settings| preimage(&empty(), kind(name, params), settings).key();
    let plain = Settings::default();
    let elsewhere = Settings {
        device: hyper_flow_spec::Device::Cuda(3),
        threads: Some(9),
        memory: Some(1),
        gpus: Some(2),
        retries: 3,
        sample_every: 5,
        checkpoint_seconds: 1.0,
        ..plain.clone()
    };
    assert_eq!(with(plain.clone()), with(elsewhere));
    assert_ne!(with(plain.clone()), with(Settings { seed: Some(8), ..plain.clone() }));
    assert_eq!(with(plain.clone()), with(Settings { seed: Some(7), ..plain }));
}

#[test]
fn the_class_of_the_device_is_in_an_exact_key() {
    let (name, params) = KINDS[0];
    let node = Node {
        name: "a".into(),
        kind: kind(name, params),
        settings: Settings::default(),
        inputs: BTreeMap::new(),
        files: BTreeMap::new(),
    };
    let none = BTreeMap::new();
    let of = |class| Preimage::new(&empty(), &node, &none, &none, class).key();
    assert_ne!(of(None), of(Some("cpu:avx2x2")));
    assert_ne!(of(Some("cpu:avx2x1")), of(Some("cpu:avx2x2")));
}

/// Fields of one node as a person may write them: any order, numbers with or without a point, defaults
/// spelled out or not, comments, white space.
fn written() -> impl Strategy<Value = String> {
    let spellings = |texts: &'static [&'static str]| prop::sample::select(texts);
    let fields = (
        spellings(&["steps: 150", "steps:150 /* a comment */", "steps: 0x96"]),
        spellings(&["", "lr: 0.001", "lr: 1e-3"]),
        spellings(&["", "grad_clip: 1", "grad_clip: 1.0"]),
        spellings(&["guidance: (1, 2)", "guidance: (1.0, 2.0)", "guidance: (1.0,2)"]),
        spellings(&["", "student: None"]),
        spellings(&["", "distance: Huber(0.001)", "distance: Huber(1e-3)"]),
        spellings(&["segments: 4", "segments: 4 // four\n"]),
        spellings(&["", "rank: 16"]),
    );
    let shuffled = fields.prop_flat_map(|f| {
        let mut all = vec![f.0, f.1, f.2, f.3, f.4, f.5, f.6, f.7, "teacher: \"t\"", "data: \"d\""];
        all.retain(|field| !field.is_empty());
        Just(all).prop_shuffle()
    });
    shuffled.prop_map(|fields| fields.join(",\n  "))
}

fn key_of_distill(fields: &str, node: &str, prefix: &str) -> Key {
    let world = World::new();
    world.write("digits.csv.gz", "");
    let text = format!(
        r#"{prefix} Pipeline(nodes: {{"{node}": SegmentDistill({fields}), "t": TrainTeacher(data: "d", text: "c", steps: 1),
            "c": TrainClip(data: "d", steps: 1), "d": Digits(file: "digits.csv.gz")}}, seed: 7, name: "{node}")"#
    );
    let mut pipeline = parse(&text, world.dir.path().join("any.ron"));
    let kind = pipeline.nodes.remove(node).unwrap().kind;
    preimage(&pipeline, kind, Settings::default()).key()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_same_meaning_has_the_same_key(fields in written(), node in "[a-z]{3,9}", prefix in "(// x\n)?") {
        let plain = "teacher: \"t\", data: \"d\", steps: 150, segments: 4, guidance: (1.0, 2.0)";
        prop_assert_eq!(key_of_distill(&fields, &node, &prefix), key_of_distill(plain, "plain", ""));
    }
}
