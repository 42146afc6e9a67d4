//! Causes, followed to where they began.

use hyper_flow::plan::differences;

use super::world::{World, lines};

/// `a` → `b` → `c` → `d`, with `e` beside `c` going into `d`.
fn chain(a: &str, e: &str) -> String {
    format!(
        r#""a": Command(program: ["a", "{a}"]),
        "b": Command(program: ["b"], inputs: {{"x": "a"}}),
        "c": Command(program: ["c"], inputs: {{"x": "b"}}),
        "e": Command(program: ["e", "{e}"]),
        "d": Command(program: ["d"], inputs: {{"left": "c", "right": "e"}}),"#
    )
}

#[test]
fn a_field_is_named_with_both_values() {
    let world = World::new();
    world.run(&world.pipeline(&chain("1", "1")));
    insta::assert_snapshot!(world.causes(&world.pipeline(&chain("2", "1")), "a"), @r#"params.program.1: "1" → "2""#);
}

#[test]
fn a_pending_input_is_followed_to_its_root() {
    let world = World::new();
    world.run(&world.pipeline(&chain("1", "1")));
    let edited = world.pipeline(&chain("2", "2"));
    insta::assert_snapshot!(world.causes(&edited, "b"), @r#"inputs.x: a changed because params.program.1: "1" → "2""#);
    insta::assert_snapshot!(world.causes(&edited, "d"), @r#"
    inputs.left: c changed because a: params.program.1: "1" → "2"
    inputs.right: e changed because params.program.1: "1" → "2"
    "#);
}

#[test]
fn an_input_that_ran_meanwhile_is_followed_too() {
    let world = World::new();
    world.run(&world.pipeline(&chain("1", "1")));
    let edited = world.pipeline(&chain("2", "1"));
    assert_eq!(world.run_for(&edited, &["c"]), ["a", "b", "c"]);
    insta::assert_snapshot!(world.states(&edited), @r"
    a cached: in the store
    b cached: in the store
    c cached: in the store
    e cached: in the store
    d run: inputs.left: c changed
    ");
    insta::assert_snapshot!(world.causes(&edited, "d"), @r#"inputs.left: c changed because a: params.program.1: "1" → "2""#);
}

#[test]
fn a_cached_node_has_no_cause() {
    let world = World::new();
    let pipeline = world.pipeline(&chain("1", "1"));
    world.run(&pipeline);
    assert_eq!(world.causes(&pipeline, "d"), "");
}

#[test]
fn what_never_ran_is_said_of_an_input() {
    let world = World::new();
    world.run(&world.pipeline(r#""d": Command(program: ["d"]),"#));
    let pipeline =
        world.pipeline(r#""new": Command(program: ["n"]), "d": Command(program: ["d"], inputs: {"x": "new"}),"#);
    insta::assert_snapshot!(world.causes(&pipeline, "d"), @"inputs.x: none → new");
}

fn told(old: &str, new: &str) -> String {
    lines(differences(old.as_bytes(), new.as_bytes()).into_iter().map(|difference| difference.to_string()))
}

#[test]
fn differences_are_told_in_the_manner_of_the_language() {
    let old = r#"{"format":1,"kind":"RewardFinetune","params":{"distance":"Mse","rank":16,"gone":true,
        "rewards":[{"Clip":{"model":{"$input":"rewards.0.model"},"weight":1.0}}],"rollouts":[1,2]},"seed":7,"version":1}"#;
    let new = r#"{"class":"cpu:avx2x2 libtorch 2","env":{"LANG":"C"},"format":1,"inputs":{"student":"aa"},
        "kind":"RewardFinetune","params":{"distance":{"Huber":0.001},"rank":8,"student":{"$input":"student"},
        "rewards":[{"Clip":{"model":{"$input":"rewards.0.model"},"weight":2.0}}],"rollouts":[1]},"seed":8,"version":2}"#;
    insta::assert_snapshot!(told(old, new), @r#"
    kind version 1 → 2
    params.distance: "Mse" → Huber(0.001)
    params.gone: true → none
    params.rank: 16 → 8
    params.rewards.0.weight: 1.0 → 2.0
    params.rollouts: [1, 2] → [1]
    inputs.student: none → "aa"
    env.LANG: none → "C"
    seed: 7 → 8
    class: none → "cpu:avx2x2 libtorch 2"
    "#);
}

#[test]
fn of_two_kinds_only_that_is_told() {
    let old = r#"{"kind":"Digits","params":{"a":1}}"#;
    let new = r#"{"kind":"ImageFolder","params":{"b":1}}"#;
    assert_eq!(told(old, new), r#"kind: "Digits" → "ImageFolder""#);
}

#[test]
fn long_values_are_cut_to_where_they_differ() {
    let long =
        |end: &str| format!(r#"{{"params":{{"program":["sh","-c","{}{end}{}"]}}}}"#, "x".repeat(200), "y".repeat(200));
    insta::assert_snapshot!(told(&long("1"), &long("2")), @"params.program.2: …xxxxxxxxxxxxxxx1yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy… → …xxxxxxxxxxxxxxx2yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…");
}
