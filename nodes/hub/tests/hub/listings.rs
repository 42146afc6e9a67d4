//! What a repository holds.

use hyper_flow_hub::Hash;

use crate::lab::{Ear, LARGE, Lab, bytes};
use hyper_flow_flaky_hub::{COMMIT, Fault, Server};

#[test]
fn files_with_their_sizes_and_hashes() {
    let lab = Lab::new();
    let files = lab.hub().files(&lab.repo(), COMMIT, &Ear::default()).unwrap();
    let told: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.size)).collect();
    assert_eq!(told, [("a b.json", 2), (LARGE, 100_000), ("vae/config.json", 0)]);
    // `printf '{}' | git hash-object --stdin`
    assert_eq!(files[0].hash, Hash::git_blob("9e26dfeeb6e641a33dae4961196235bdb965b21b").unwrap());
    assert!(matches!(files[1].hash, Hash::Sha256(_)));
}

#[test]
fn pages_of_a_listing_are_asked_of_the_same_server() {
    let lab = Lab::new();
    lab.server.pages_of(2).api_faults([Fault::None, Fault::Status(500, Vec::new()), Fault::Cut(5)]);
    let files = lab.hub_with_token().files(&lab.repo(), COMMIT, &Ear::default()).unwrap();
    assert_eq!(files.len(), 3);
    assert!(lab.server.seen().iter().all(|request| request.headers["authorization"] == "Bearer hf_secret"));
}

#[test]
fn the_commit_of_a_branch() {
    let lab = Lab::new();
    assert_eq!(lab.hub().commit_of(&lab.repo(), "main").unwrap(), COMMIT);
    let error = lab.hub().commit_of(&lab.repo(), "refs/pr/1").unwrap_err().to_string();
    assert!(error.contains("`refs/pr/1` of org/m") && error.contains("no such revision"), "{error}");
    assert!(lab.server.seen()[1].target.ends_with("/revision/refs%2Fpr%2F1"));
}

#[test]
fn datasets_have_another_address() {
    let content = bytes(10);
    let server = Server::new("datasets/org/d", &[("x.bin", &content)]);
    let mut lab = Lab::new();
    lab.server = server;
    let (hub, repo) = (lab.hub(), "datasets/org/d".parse().unwrap());
    let files = hub.files(&repo, COMMIT, &Ear::default()).unwrap();
    hub.download(&repo, COMMIT, &files[0], &lab.to(), &Ear::default()).unwrap();
    assert_eq!(std::fs::read(lab.to()).unwrap(), content);
}

#[test]
fn an_answer_that_is_no_listing_is_told() {
    let lab = Lab::new();
    lab.server.api_faults([Fault::WrongBytes]);
    let error = lab.hub().files(&lab.repo(), COMMIT, &Ear::default()).unwrap_err().to_string();
    assert!(error.contains("not what a hub answers"), "{error}");
}
