//! What computes on a GPU, on a CUDA device that is made of host memory: no GPU is needed, and none is told anything of.
//!
//! The device refuses what CUDA refuses and counts what the host waits for; see the crate `hyper-flow-stand-in`. Every kind
//! computes there what is pinned of it (`golden`), since its kernels are the CPU's.

mod devices;
mod kinds;
mod lives;
mod waits;

use std::path::Path;

use hyper_flow_spec::{Device, Kind};
use hyper_flow_stand_in::{DEVICE, DRIVER};
use serde_json::Value;

use crate::lab::Work;

/// Whether the device can be put into the worker: a libtorch with CUDA has its own.
fn is_there() -> bool {
    Path::new(DEVICE).exists()
}

/// A job that computes on the device.
fn on_device(work: Work) -> Work {
    work.with(|job| job.device = Device::Cuda(0)).env("LD_PRELOAD", DEVICE).env("LD_LIBRARY_PATH", DRIVER)
}

/// A job with other parameters, where its kind has them.
fn with(mut work: Work, changes: &[(&str, Value)]) -> Work {
    let name = work.job.kind.name();
    let mut params = serde_json::to_value(&work.job.kind).unwrap()[name].take();
    for (field, value) in changes {
        if let Some(old) = params.get_mut(field) {
            *old = value.clone();
        }
    }
    work.job.kind = Kind::from_json(name, params).unwrap();
    work
}
