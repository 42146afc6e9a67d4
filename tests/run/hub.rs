//! A model of a hub, with the real worker: engine, worker and a server that goes wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use hyper_flow_flaky_hub::{COMMIT, Fault, Server};
use rustix::process::Signal;

use crate::lab::{Lab, Ran, eventually};

const WEIGHTS: &str = "unet/diffusion_pytorch_model.safetensors";
const TOKEN: &str = "hf_secret";

/// The files of a small model, made as a user makes one.
static MODEL: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let lab = with_worker();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/data/digits.csv.gz");
    fs::copy(data, lab.path("digits.csv.gz")).unwrap();
    let small = "batch: 4, steps: 1";
    lab.pipeline(
        &[
            ("digits", "Digits(file: \"digits.csv.gz\")".to_owned()),
            ("clip", format!("TrainClip(data: \"digits\", width: 8, layers: 1, heads: 2, projection: 8, {small})")),
            ("model", format!("TrainTeacher(data: \"digits\", text: \"clip\", channels: [8, 16], heads: 2, {small})")),
        ],
        "\"*\": (threads: 1, device: Cpu)",
    );
    lab.run(&[]).expect_ran(&["digits", "clip", "model"]);
    lab.artifact("model", "model_index.json");
    files_in(&lab.path("exported/model"))
});

fn with_worker() -> Lab {
    let worker = PathBuf::from(env!("CARGO_BIN_EXE_hyper-flow")).with_file_name("hyper-flow-worker");
    assert!(worker.exists(), "no worker beside the engine: run the tests of the whole workspace (`make test`)");
    Lab::new().with("HYPER_FLOW_WORKER", worker.to_str().unwrap())
}

fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut open) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => drop(files.insert(name_in(folder, &path), fs::read(&path).unwrap())),
            }
        }
    }
    files
}

fn name_in(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()
}

/// A pipeline of the model, and the hub that has it.
struct Scene {
    lab: Lab,
    hub: Server,
}

impl Scene {
    fn new() -> Scene {
        let files: Vec<(&str, &[u8])> = MODEL.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
        let hub = Server::new("org/model", &files);
        let lab = with_worker().with("HF_ENDPOINT", &hub.url()).with("HF_TOKEN", TOKEN).with("HF_HUB_OFFLINE", "");
        let node = format!("Diffusers(hub: (repo: \"org/model\", revision: \"{COMMIT}\"))");
        lab.pipeline(&[("model", node)], "\"*\": (threads: 1, device: Cpu)");
        Scene { lab, hub }
    }

    /// The next requests of files go well until the weights of the UNet are asked for.
    fn trouble(&self, faults: impl IntoIterator<Item = Fault>) {
        let before = MODEL.keys().take_while(|name| *name != WEIGHTS).count();
        self.hub.faults(vec![Fault::None; before]).faults(faults);
    }

    /// The artifact holds what the hub has.
    fn assert_downloaded(&self) {
        self.lab.artifact("model", "model_index.json");
        let exported = files_in(&self.lab.path("exported/model"));
        assert_eq!(exported.keys().collect::<Vec<_>>(), MODEL.keys().collect::<Vec<_>>());
        assert!(exported[WEIGHTS] == MODEL[WEIGHTS]);
    }

    /// Neither the store nor what was printed has the token in it.
    fn assert_no_token(&self, runs: &[&Ran]) {
        for (path, bytes) in files_in(&self.lab.path(".hyper-flow")) {
            let has = bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes());
            assert!(!has, "the token is in {path}");
        }
        runs.iter().for_each(|run| assert!(!format!("{run:?}").contains(TOKEN)));
    }
}

#[test]
fn a_model_of_a_hub_is_downloaded_once_and_published() {
    let scene = Scene::new();
    scene.trouble([Fault::Cut(2000), Fault::Cut(100)]);
    let run = scene.lab.run(&[]);
    run.expect_ran(&["model"]);
    scene.assert_downloaded();
    let asked = scene.hub.seen().len();
    assert_eq!(asked, 1 + MODEL.len() + 2, "a listing, each file, and the weights twice more");
    let again = scene.lab.run_with(&[], &[("HF_ENDPOINT", "http://127.0.0.1:1")]);
    again.expect_ran(&[]);
    assert_eq!(scene.hub.seen().len(), asked);
    assert!(scene.hub.seen().iter().all(|request| request.headers["authorization"] == format!("Bearer {TOKEN}")));
    scene.assert_no_token(&[&run, &again]);
}

#[test]
fn a_killed_run_goes_on_with_its_download() {
    let scene = Scene::new();
    scene.trouble([Fault::Stall(3000)]);
    let running = scene.lab.start(&[], &[("HF_HUB_DOWNLOAD_TIMEOUT", "600")]);
    let partial = || {
        let scratch = scene.lab.stored("scratch");
        scratch.into_iter().find(|path| path.ends_with(format!("{WEIGHTS}.partial")))
    };
    eventually("the download does not begin", || {
        partial().is_some_and(|path| fs::metadata(path).is_ok_and(|found| found.len() == 3000))
    });
    running.signal(Signal::KILL);
    running.end();
    scene.lab.run(&[]).expect_ran(&["model"]);
    let whole = MODEL.len();
    assert_eq!(scene.hub.ranges().len(), whole + 1, "nothing else is asked for twice");
    assert!(scene.hub.ranges().contains(&Some("bytes=3000-".to_owned())));
    scene.assert_downloaded();
    assert!(scene.lab.stored("scratch").is_empty(), "it is in the store now");
}

#[test]
fn wrong_bytes_are_not_published() {
    let scene = Scene::new();
    scene.trouble([Fault::WrongBytes]);
    let run = scene.lab.run(&[]);
    let message = run.failure("model");
    assert!(message.contains(WEIGHTS) && message.contains("sha256") && message.contains("deleted"), "{message}");
    assert!(scene.lab.stored("objects").is_empty() && scene.lab.stored("records").is_empty());
    scene.assert_no_token(&[&run]);
    scene.lab.run(&[]).expect_ran(&["model"]);
    scene.assert_downloaded();
}
