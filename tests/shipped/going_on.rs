//! A judge that does not read well enough is judged again, not trained again; and a longer training goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const PIPELINE: &str = r#"Pipeline(name: "small", nodes: {
    "digits": Digits(file: "digits.csv.gz"),
    "judge":  TrainJudge(data: "digits", width: 4, features: 8, batch: 16, steps: 4, lr_decay: Constant, min_accuracy: 0.99),
    "uses":   Command(program: ["sh", "-c", "ls $FLOW_IN_JUDGE > $FLOW_OUT/files"], inputs: {"judge": "judge"}),
}, settings: {"*": (device: Cpu, threads: 1)})"#;

struct Scene(TempDir);

/// What a run says.
struct Said {
    code: Option<i32>,
    stderr: String,
    /// The events of the judge.
    events: Vec<Value>,
}

impl Said {
    /// The steps that the judge was trained in.
    fn steps(&self) -> Vec<u64> {
        let step = |event: &Value| if event["event"] == "step" { event["step"].as_u64() } else { None };
        self.events.iter().filter_map(step).collect()
    }

    /// Why the judge failed.
    fn why(&self) -> &str {
        let message = self.events.iter().find_map(|event| event["message"].as_str());
        message.unwrap_or_else(|| panic!("{:?}\n{}", self.events, self.stderr))
    }
}

impl Scene {
    fn new() -> Scene {
        let scene = Scene(tempfile::tempdir().unwrap());
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/data/digits.csv.gz");
        std::fs::copy(data, scene.0.path().join("digits.csv.gz")).unwrap();
        std::fs::write(scene.0.path().join("small.ron"), PIPELINE).unwrap();
        scene
    }

    fn call(&self, arguments: &[&str]) -> Output {
        let engine = PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow"));
        let worker = engine.with_file_name("hyper-flow-worker");
        let mut call = Command::new(engine);
        call.current_dir(self.0.path()).env_remove("HYPER_FLOW_STORE").env("HYPER_FLOW_WORKER", worker).args(arguments);
        call.output().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let output = self.call(&[&["run", "small.ron", "--json"], arguments].concat());
        let events = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect::<Vec<Value>>();
        // What a worker says is in the event of its node.
        let events = events.into_iter().filter(|event| event["node"] == "judge").collect();
        Said { code: output.status.code(), stderr: String::from_utf8_lossy(&output.stderr).into_owned(), events }
    }

    fn reason(&self, arguments: &[&str]) -> String {
        let output = self.call(&[&["plan", "small.ron", "judge", "--json"], arguments].concat());
        let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
        let nodes = plan["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["name"] == "judge").unwrap()["reason"].as_str().unwrap().to_owned()
    }

    fn model(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.call(&[&["show", "small.ron", "judge", "model.safetensors"], arguments].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

const ANY: [&str; 2] = ["--set", "judge.min_accuracy=0.0"];
const EIGHT: [&str; 4] = ["--set", "judge.min_accuracy=0.0", "--set", "judge.steps=8"];

#[test]
fn a_threshold_judges_what_is_there() {
    let scene = Scene::new();
    let first = scene.run(&[]);
    assert_eq!((first.code, first.steps()), (Some(1), vec![1, 2, 3, 4]));
    let why = first.why();
    assert!(why.starts_with("its held out accuracy is 0.") && why.contains(", below `min_accuracy: 0.99`; "), "{why}");
    let advice = "what was trained is kept, and with a lower `min_accuracy` it is taken as it is. Or train it longer: with more `steps` it goes on after step 4";
    assert!(why.ends_with(advice), "{why}");
    let again = scene.run(&[]);
    assert_eq!((again.code, again.steps()), (Some(1), vec![]));
    assert_eq!(again.why(), why);
    assert!(scene.reason(&[]).contains("its held out accuracy is 0."), "{}", scene.reason(&[]));
    let lower = scene.run(&ANY);
    assert_eq!((lower.code, lower.steps()), (Some(0), vec![]), "{}", lower.stderr);
    assert_eq!(scene.run(&[]).code, Some(1), "and raised again, it is not");
}

#[test]
fn more_steps_go_on_and_yield_what_all_of_them_would() {
    let scene = Scene::new();
    assert_eq!(scene.run(&ANY).steps(), [1, 2, 3, 4]);
    let reason = scene.reason(&EIGHT);
    assert!(reason.ends_with("params.steps: 4 → 8; goes on after step 4"), "{reason}");
    let why = scene.call(&[&["why", "small.ron", "judge"][..], &EIGHT[..]].concat());
    assert!(String::from_utf8_lossy(&why.stdout).contains("params.steps: 4 → 8; goes on after step 4"));
    let longer = scene.run(&EIGHT);
    assert_eq!((longer.code, longer.steps()), (Some(0), vec![5, 6, 7, 8]), "{}", longer.stderr);
    let anew = [&EIGHT[..], &["--force", "judge"]].concat();
    let model = scene.model(&EIGHT);
    assert_eq!(scene.run(&anew).steps(), (1..=8).collect::<Vec<_>>(), "what is forced begins at the beginning");
    assert_eq!(scene.model(&EIGHT), model);
    let elsewhere = ["--store", "elsewhere"];
    assert_eq!(scene.run(&[&EIGHT[..], &elsewhere].concat()).steps(), (1..=8).collect::<Vec<_>>());
    assert_eq!(scene.model(&[&EIGHT[..], &elsewhere].concat()), model);
    let fewer = scene.run(&["--set", "judge.min_accuracy=0.0", "--set", "judge.steps=6"]);
    assert_eq!(fewer.steps(), (1..=6).collect::<Vec<_>>(), "nothing of the longer one is of use to a shorter one");
}

#[test]
fn where_more_steps_are_another_training_that_is_told() {
    let scene = Scene::new();
    let cosine = ["--set", "judge.min_accuracy=0.0", "--set", "judge.lr_decay=Cosine"];
    assert_eq!(scene.run(&cosine).code, Some(0));
    let eight = [&cosine[..], &["--set", "judge.steps=8"]].concat();
    let reason = scene.reason(&eight);
    let told = "starts anew, because `lr_decay: Cosine` spreads the learning rate over all steps";
    assert!(reason.ends_with(&format!("params.steps: 4 → 8; {told}")), "{reason}");
    assert_eq!(scene.run(&eight).steps(), (1..=8).collect::<Vec<_>>());
    let strict = ["--set", "judge.lr_decay=Cosine", "--set", "judge.steps=8"];
    let why = scene.run(&strict).why().to_owned();
    assert!(why.ends_with(&format!("with more `steps` it {told}; with `lr_decay: Constant` it goes on")), "{why}");
}
