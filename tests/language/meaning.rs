//! What a pipeline without mistakes means.

use std::time::Duration;

use hyper_flow::pipeline::Overrides;
use hyper_flow_spec::{Device, Kind, Leaf};

use crate::support::{DIGITS, FULL, Folder, good, good_with, set};

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

/// A model that draws latents, and pictures as it draws them.
const LATENTS: &str = "\"v\": TrainVae(data: \"digits\", steps: 1), \"m\": TrainTeacher(data: \"digits\", text: \"clip\", vae: \"v\", steps: 1), \
     \"l\": EncodeLatents(model: \"m\", data: \"digits\"),";

#[test]
fn a_port_of_two_types_takes_either() {
    for (teacher, data) in [("teacher", "digits"), ("m", "l")] {
        let student = format!("\"s\": SegmentDistill(teacher: \"{teacher}\", data: \"{data}\", segments: 1, steps: 1)");
        assert_eq!(good(&DIGITS.replace("// more", &format!("{LATENTS}{student}"))).nodes["s"].inputs["data"], data);
    }
}

#[test]
fn what_keeps_checkpoints_obeys_their_setting() {
    let text = DIGITS.replace("// more", LATENTS).replace("})", "}, settings: {\"l\": (checkpoint_seconds: 5)})");
    let pipeline = good(&text);
    assert_eq!((pipeline.nodes["l"].settings.checkpoint_seconds, pipeline.warnings.len()), (5.0, 0));
}

#[test]
fn the_seed_is_0_and_the_name_before_the_parentheses_may_be_absent() {
    let pipeline = good("(name: \"p\", nodes: {}, reproducibility: Exact)");
    assert_eq!((pipeline.seed, pipeline.exact), (0, true));
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
    let overrides =
        Overrides { set: vec!["params.threads=3".to_owned()], params: Some(folder.path("more.ron")), store: None };
    let pipeline = folder.parse(FULL, &overrides).unwrap();
    assert_eq!(pipeline.nodes["teacher"].settings.threads, Some(3));
    let Kind::ScoreDistill(unified) = &pipeline.nodes["unified"].kind else { panic!("another kind") };
    assert_eq!(unified.guidance.get(), 4.0);
}
