//! Job files. One that is read is not run: it could name any path.

use std::fs;
use std::io::sink;

use hyper_flow_spec::{Job, Kind, PROTOCOL};
use serde_json::json;
use tch::Device;

use super::attack::attack;
use super::damage::as_it_is;
use crate::files;
use crate::worker::{Cancel, Context, Reporter};

fn good() -> Job {
    Job {
        protocol: PROTOCOL,
        kind: Kind::from_json("TrainJudge", json!({"data": "data", "steps": 3, "lr": 1e-3})).unwrap(),
        inputs: [("data".to_owned(), "in/data".into())].into(),
        files: [("x".to_owned(), "y".into())].into(),
        output: "out".into(),
        scratch: "scratch".into(),
        log: "log".into(),
        device: hyper_flow_spec::Device::Cuda(0),
        threads: 2,
        seed: 7,
        exact: false,
        sample_every: 10,
        checkpoint_seconds: 60.0,
        course: None,
    }
}

#[test]
fn jobs() {
    attack(
        "job.json",
        vec![serde_json::to_vec(&good()).unwrap(), serde_json::to_vec_pretty(&good()).unwrap()],
        as_it_is,
        |bytes| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("job.json");
            fs::write(&path, bytes).unwrap();
            match files::read_json::<Job>(&path) {
                Ok(job) => {
                    let reporter = Reporter::new(sink());
                    let context = Context { job, device: Device::Cpu, reporter, cancel: Cancel::default() };
                    let _ = (context.identity(), context.between_checkpoints());
                    Ok(())
                }
                Err(error) if error.to_string().contains("job.json") => Ok(()),
                Err(error) => Err(format!("the error does not say which file: {error}")),
            }
        },
    );
}
