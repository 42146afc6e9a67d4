//! `pipelines/ablation.ron`: a matrix.

use crate::lab::Lab;

const SMALL: &[&str] = &[
    "matrix.regime={\"400-on-40\": (steps: 3, stage: 2, points: 40, weighting: Jump), \
     \"400-on-40-uniform\": (steps: 3, stage: 2, points: 40, weighting: Uniform)}",
    "{method}-longer@{seed}.steps=1",
    "{method}-delta@{seed}.steps=1",
    "{score}@{seed}.steps=1",
    "{score}@{seed}.fake_warmup=1",
    "{method}-{score}@{seed}.steps=1",
    "{method}-{score}@{seed}.fake_warmup=1",
    "{method}-much-longer@{seed}.steps=1",
    "eval-{regime}@{seed}.samples=20",
    "eval-{regime}@{seed}.reference_steps=10",
    "eval@{seed}.samples=20",
    "eval@{seed}.reference_steps=10",
    "eval-lcm@{seed}.samples=20",
    "eval-lcm@{seed}.reference_steps=10",
    "eval-one-step@{seed}.samples=20",
    "eval-one-step@{seed}.reference_steps=10",
];

#[test]
fn a_further_seed_runs_what_it_adds() {
    let lab = Lab::new("ablation", SMALL);
    let one = lab.run(&["matrix.seed=[1]"]);
    assert_eq!(one.len(), 78, "{one:?}");
    let two = lab.run(&["matrix.seed=[1, 2]"]);
    let added = |node: &&String| !node.ends_with("@2");
    assert_eq!(
        two.iter().filter(added).collect::<Vec<_>>(),
        ["400-on-40", "400-on-40-uniform", "feedback", "one-step"]
    );
    assert_eq!(two.len(), 73, "{two:?}");

    let feedback = lab.json("show", &["feedback", "summary.json"], &["matrix.seed=[1, 2]"]);
    let rows = feedback["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["candidate"] == "tscd + feedback" && row["steps"] == 4).unwrap();
    assert_eq!(row["numbers"]["frechet"]["n"], 2);
    // The teacher drew for two evaluations of each seed from the same noise.
    let teacher = rows.iter().find(|row| row["candidate"] == "teacher" && row["steps"] == 4).unwrap();
    assert_eq!(teacher["numbers"]["frechet"]["n"], 2);
    let pairs = feedback["comparisons"].as_array().unwrap();
    assert!(pairs.iter().any(|pair| pair["candidate"] == "lcm + feedback" && pair["against"] == "lcm"));
}
