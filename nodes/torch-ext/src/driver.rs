//! What NVIDIA's driver says of the GPUs that this process may use.

use std::ffi::{CStr, c_char, c_int};

use crate::foreign::{hf_driver_count, hf_driver_gpu, hf_driver_init, hf_driver_version};
use crate::switches::version;

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// `NVIDIA H200`, as its driver calls it.
    pub name: String,
    /// The compute capability: (9, 0).
    pub capability: (u32, u32),
}

/// A driver that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Driver {
    /// The newest CUDA that it knows: (13, 0).
    pub cuda: Option<(u32, u32)>,
    /// In CUDA's order, of `CUDA_VISIBLE_DEVICES`.
    pub gpus: Vec<Gpu>,
}

/// Why a driver does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InitError {
    /// Its library is nowhere.
    NoLibrary,
    /// What `cuInit` says, as a number of CUDA's `CUresult`.
    Code(i32),
}

/// Wakes the driver and asks it. No memory of a GPU is taken.
pub fn driver() -> Result<Driver, InitError> {
    match hf_driver_init() {
        0 => Ok(Driver { cuda: version(hf_driver_version()), gpus: (0..hf_driver_count()).filter_map(gpu).collect() }),
        -1 => Err(InitError::NoLibrary),
        code => Err(InitError::Code(code)),
    }
}

/// CUDA's names end before.
const LENGTH: usize = 256;

fn gpu(index: c_int) -> Option<Gpu> {
    let mut name: [c_char; LENGTH] = [0; LENGTH];
    let (mut major, mut minor) = (0, 0);
    // SAFETY: all places are ours for the time of the call; the name is within its length, and ends with a zero.
    let name = unsafe {
        let told = hf_driver_gpu(index, name.as_mut_ptr(), LENGTH as c_int, &raw mut major, &raw mut minor);
        told.then(|| CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned())?
    };
    Some(Gpu { name, capability: (u32::try_from(major).ok()?, u32::try_from(minor).ok()?) })
}
