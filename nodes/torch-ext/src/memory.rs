//! The memory that libtorch has of a GPU.

use std::ffi::c_int;

use crate::TorchError;
use crate::foreign::{hf_device_memory, understood};

/// The most bytes of a GPU so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceMemory {
    /// That tensors had.
    pub allocated: u64,
    /// That were taken from the driver for them, of which nothing is given back by itself.
    pub reserved: u64,
}

/// What the allocator of a GPU says of itself.
///
/// # Errors
/// Where this libtorch has no allocator for GPUs, or the GPU was not yet used.
pub fn device_memory(index: usize) -> Result<DeviceMemory, TorchError> {
    let (mut allocated, mut reserved) = (0_i64, 0_i64);
    let index = c_int::try_from(index).unwrap_or(c_int::MAX);
    // SAFETY: both places are ours for the time of the call, and are written at most once.
    understood(unsafe { hf_device_memory(index, &raw mut allocated, &raw mut reserved) })?;
    Ok(DeviceMemory { allocated: allocated.unsigned_abs(), reserved: reserved.unsigned_abs() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_gpu_an_exception_is_told_as_an_error() {
        if !tch::Cuda::is_available() {
            assert!(!device_memory(0).unwrap_err().to_string().is_empty());
        }
    }
}
