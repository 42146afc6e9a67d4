//! Revisions of a model hub, with a hub on this machine.

use std::net::TcpListener;

use hyper_flow_flaky_hub::{COMMIT, Fault, Server};

use super::scene::Scene;

/// A pipeline of models of `org/m`, at these revisions.
fn scene(revisions: &[&str]) -> Scene {
    let node = |revision: &&str| {
        format!("    \"{revision}\": Diffusers(hub: (repo: \"org/m\", revision: \"{revision}\", files: [\"*\"])),\n")
    };
    let scene = Scene::empty();
    let nodes: String = revisions.iter().map(node).collect();
    scene.write("m.ron", &format!("Pipeline(name: \"m\", nodes: {{\n{nodes}}})"));
    scene
}

/// What `plan` says, its exit code, and whether it has the token in it.
fn plan(scene: &Scene, environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = scene.command("plan m.ron");
    let output = command.envs(environment.iter().copied()).env("HF_TOKEN", "hf_secret").output().unwrap();
    let text = scene.text(&[output.stdout, output.stderr].concat());
    assert!(!text.contains("secret"), "{text}");
    (output.status.code(), text)
}

fn refused(scene: &Scene, environment: &[(&str, &str)]) -> String {
    let (code, text) = plan(scene, environment);
    assert_eq!(code, Some(2), "{text}");
    text
}

#[test]
fn a_branch_is_refused_with_the_commit_that_it_means_now() {
    let (scene, hub) = (scene(&["main", "v2"]), Server::new("org/m", &[]));
    let text = refused(&scene, &[("HF_ENDPOINT", &hub.url())]).replace(&hub.url(), "<hub>");
    insta::assert_snapshot!(text, @r#"
      × 2 mistakes in m.ron

      × `revision` must be a commit, 40 digits 0–9 and a–f, not `main`
       ╭─[m.ron:2:54]
     1 │ Pipeline(name: "m", nodes: {
     2 │     "main": Diffusers(hub: (repo: "org/m", revision: "main", files: ["*"])),
       ·                                                      ───┬──
       ·                                                         ╰── not allowed
     3 │     "v2": Diffusers(hub: (repo: "org/m", revision: "v2", files: ["*"])),
       ╰────
      help: `revision` takes a commit, 40 digits 0–9 and a–f. The commit, for a branch or tag means another one tomorrow.
            `main` means this one now: `revision: "0123456789abcdef0123456789abcdef01234567"`

      × `revision` must be a commit, 40 digits 0–9 and a–f, not `v2`
       ╭─[m.ron:3:52]
     2 │     "main": Diffusers(hub: (repo: "org/m", revision: "main", files: ["*"])),
     3 │     "v2": Diffusers(hub: (repo: "org/m", revision: "v2", files: ["*"])),
       ·                                                    ──┬─
       ·                                                      ╰── not allowed
     4 │ })
       ╰────
      help: `revision` takes a commit, 40 digits 0–9 and a–f. The commit, for a branch or tag means another one tomorrow.
            `v2` of org/m: org/m has no such revision; <hub>/org/m/commits/main lists those that it has
    "#);
}

#[test]
fn each_branch_is_asked_for_once_and_with_the_token() {
    let (scene, hub) = (scene(&["main"]), Server::new("org/m", &[]));
    let text = scene.read("m.ron");
    let twice = text.replace("})", "    \"again\": Diffusers(hub: (repo: \"org/m\", revision: \"main\")),\n})");
    scene.write("m.ron", &twice);
    let told = refused(&scene, &[("HF_ENDPOINT", &hub.url())]);
    assert_eq!(told.matches(COMMIT).count(), 2, "{told}");
    assert_eq!(hub.seen().len(), 1);
    assert_eq!(hub.seen()[0].headers["authorization"], "Bearer hf_secret");
}

#[test]
fn without_an_answer_the_way_to_find_the_commit_is_told() {
    let scene = scene(&["main"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}");
    let text = refused(&scene, &[("HF_ENDPOINT", &nobody)]);
    assert!(text.contains(&format!("{nobody}/org/m/commits/main shows which one")), "{text}");
    assert!(text.contains("cannot reach") && !text.contains("tried"), "{text}");
    let hub = Server::new("org/m", &[]);
    hub.api_faults([Fault::Status(500, Vec::new())]);
    let text = refused(&scene, &[("HF_ENDPOINT", &hub.url())]);
    assert!(text.contains("/org/m/commits/main shows which one") && text.contains("status 500"), "{text}");
    let text = refused(&scene, &[("HF_ENDPOINT", &hub.url()), ("HF_HUB_OFFLINE", "1")]);
    assert!(text.contains("HF_HUB_OFFLINE is set"), "{text}");
    assert_eq!(hub.seen().len(), 1);
}

#[test]
fn a_good_pipeline_is_planned_without_a_hub() {
    let (scene, hub) = (scene(&[COMMIT]), Server::new("org/m", &[]));
    let (code, text) = plan(&scene, &[("HF_ENDPOINT", &hub.url())]);
    assert_eq!(code, Some(0), "{text}");
    assert!(hub.seen().is_empty());
}
