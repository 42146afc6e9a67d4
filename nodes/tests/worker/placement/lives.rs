//! A training on the device that is killed goes on where it was, and yields the same bytes.

use hyper_flow_spec::Event;
use rustix::process::Signal;

use super::{is_there, on_device};
use crate::golden;
use crate::lab::{Work, assert_same};

fn training() -> Work {
    on_device(golden::work("SegmentDistill"))
}

#[test]
fn a_killed_training_goes_on_from_its_checkpoint() {
    if !is_there() {
        return;
    }
    let whole = training();
    let steps = whole.run().succeeded().steps();
    let broken = training().with(|job| job.checkpoint_seconds = 0.0);
    let mut worker = broken.start();
    worker.until(|event| matches!(event, Event::Checkpoint { .. }));
    worker.signal(Signal::KILL);
    let rest = broken.run();
    rest.succeeded();
    assert!(rest.resumed().is_some() && rest.steps().len() < steps.len(), "{rest:#?}");
    assert_same("the artifacts", &broken.files(), &whole.files());
}
