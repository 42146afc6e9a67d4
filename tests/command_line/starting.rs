//! `new` and `kinds`: what one begins with.

use hyper_flow::pipeline::{EXAMPLES, Overrides, Pipeline, example};
use hyper_flow_spec::Kind;

use super::scene::Scene;

/// With a folder of pictures that have captions. (No pictures: nothing here opens them.)
fn scene() -> Scene {
    let scene = Scene::empty();
    for (name, caption) in [("a", "a red fox"), ("b", "a bowl of \"ramen\""), ("c", "a lighthouse at dusk")] {
        scene.write(&format!("shapes/{name}.png"), "");
        scene.write(&format!("shapes/{name}.txt"), caption);
    }
    scene
}

#[test]
fn a_pipeline_is_begun_from_each_template() {
    for (template, nodes) in [("pictures", 18), ("sd15", 12), ("sdxl", 12), ("sweep", 28)] {
        let scene = scene();
        let made = scene.ok(&format!("new mine/{template}.ron --template {template} --pictures shapes"));
        assert!(made.starts_with(&format!("mine/{template}.ron: {nodes} nodes\n")), "{made}");
        assert_eq!(scene.ok(&format!("check mine/{template}.ron")), format!("ok: {nodes} nodes\n"));
        assert_eq!(scene.ok(&format!("fmt mine/{template}.ron")), format!("mine/{template}.ron: as it was\n"));
        let text = scene.read(&format!("mine/{template}.ron"));
        assert!(text.contains("\"pictures\": \"../shapes\"") && text.contains("EncodeLatents("), "{text}");
        assert!(!scene.path().join(".hyper-flow").exists());
    }
}

#[test]
fn it_says_what_to_do_next_and_overwrites_nothing() {
    let scene = scene();
    insta::assert_snapshot!(scene.ok("new fox.ron -t pictures --pictures shapes"), @"
    fox.ron: 18 nodes
    shapes: 3 pictures with captions

    Next:
      hyper-flow plan fox.ron
      hyper-flow run fox.ron
    ");
    let text = scene.read("fox.ron");
    assert!(text.contains(r#""prompts": ["a bowl of \"ramen\"", "a lighthouse at dusk", "a red fox"]"#), "{text}");
    insta::assert_snapshot!(scene.fails("new fox.ron -t sweep --pictures shapes"), @"
    exit 2
      × `fox.ron` is there already
      help: name another file, or remove it first; nothing was written
    ");
    assert_eq!(scene.read("fox.ron"), text);
    // The default name, in a folder that is made.
    assert_eq!(scene.ok("new -q a/b -t sd15 --pictures shapes --prompt x"), "a/b/sd15.ron\n");
    assert!(scene.read("a/b/sd15.ron").contains(r#""prompts": ["x"]"#));
}

#[test]
fn pictures_may_come_later_and_captions_are_asked_for() {
    let scene = Scene::empty();
    insta::assert_snapshot!(scene.ok("new -t pictures"), @"
    pictures.ron: it wants pictures
    pictures: no pictures yet

    Next:
      put pictures with captions into pictures: `fox.png`, and its caption in `fox.txt`
      hyper-flow check pictures.ron
    ");
    scene.write("drawn/a.jpg", "");
    scene.write("drawn/b.jpg", "");
    insta::assert_snapshot!(scene.ok("new x.ron -t pictures --pictures drawn"), @"
    x.ron: 18 nodes
    drawn: 2 pictures, of which 0 have captions; the others are left out

    Next:
      write captions: of `fox.png` in drawn, in `fox.txt` beside it
      hyper-flow run x.ron
    ");
    insta::assert_snapshot!(scene.fails("new y.ron"), @"
    exit 2
      × no template is named
      help: add `--template NAME`:
            pictures: a small model of your own pictures, drawn in one step; minutes on a CPU
            sd15: Stable Diffusion 1.5, distilled on your pictures; wants a GPU
            sdxl: Stable Diffusion XL, distilled on your pictures; wants a large GPU
            sweep: several ways to distil a small model of your pictures, compared
    ");
}

#[test]
fn every_kind_has_an_example_that_is_right() {
    let scene = Scene::empty();
    let brought = [
        "data/digits.csv.gz",
        "pictures/a.png",
        "shards/00000.tar",
        "shards/00001.tar",
        "models/aesthetic.safetensors",
        "models/my-lora.safetensors",
        "brightness.py",
    ];
    brought.iter().for_each(|file| scene.write(file, ""));
    let checked = Pipeline::parse(EXAMPLES, &scene.path().join("p.ron"), &Overrides::default());
    let pipeline = checked.unwrap_or_else(|errors| panic!("{errors:?}"));
    assert!(pipeline.warnings.is_empty(), "{:?}", pipeline.warnings);
    for kind in Kind::NAMES {
        let text = example(kind).unwrap_or_else(|| panic!("{kind} has no example"));
        assert!(text.contains(&format!("\": {kind}(")), "{text}");
        assert!(
            scene.ok(&format!("kinds {kind}")).contains(&format!("Example:\n\n    {}", text.lines().next().unwrap()))
        );
    }
}

#[test]
fn what_is_inside_a_field_is_explained() {
    let scene = Scene::empty();
    insta::assert_snapshot!(scene.ok("kinds SegmentDistill.adversarial.warmup"), @"
    warmup: a whole number, 0 or above (default 0)

    Further updates of the discriminator before the student's first: a fresh one says nothing.
    ");
    let page = scene.ok("kinds RewardFinetune");
    assert!(
        page.contains("      watch: the name of a node that yields a Scorer or a Clip or a Classifier (required)\n"),
        "{page}"
    );
    let require = scene.ok("kinds Gate.require");
    assert!(require.contains("\n  number: ") && require.contains("`Candidate(text)`"), "{require}");
    assert_eq!(scene.ok("kinds -q Gate.require").lines().next(), Some("candidate"));
    let json = scene.json("kinds Gate --json");
    assert_eq!(json["fields"][1]["fields"][0]["name"], "candidate");
    insta::assert_snapshot!(scene.fails("kinds Gate.require.nubmer"), @"
    exit 2
      × `require` has no field `nubmer`
      help: did you mean `number`?
    ");
}

#[test]
fn the_rest_of_a_pipeline_is_explained() {
    let scene = Scene::empty();
    let settings = scene.ok("kinds settings");
    assert!(settings.contains("\n  sample_every: ") && settings.contains("    Pipeline("), "{settings}");
    assert!(scene.ok("kinds matrix").contains("`{seed}` in any text"));
    assert!(scene.ok("kinds params").contains("--set params.size=64"));
    assert!(scene.ok("kinds").contains("\nmatrix          sweeps: "));
    assert!(scene.fails("kinds setings").contains("did you mean `settings`?"));
}
