//! How libtorch computes on a GPU.

use crate::TorchError;
use crate::foreign::{hf_cuda_is_built, hf_cuda_version, hf_set_deterministic, hf_set_tf32, understood};

/// Whether this libtorch was built with CUDA. Whether there is a GPU is another question.
pub fn cuda_is_built() -> bool {
    hf_cuda_is_built()
}

/// The CUDA version that this libtorch was built with, as (13, 0).
pub fn cuda_version() -> Option<(u32, u32)> {
    version(hf_cuda_version())
}

/// CUDA's way to write a version: 13000.
pub(crate) fn version(number: i32) -> Option<(u32, u32)> {
    let number = u32::try_from(number).ok().filter(|number| *number > 0)?;
    Some((number / 1000, number % 1000 / 10))
}

/// Whether products (cuBLAS) and convolutions (cuDNN) of float32 on a GPU may round their factors to TF32, ten bits of
/// mantissa. By itself libtorch allows it to convolutions and not to products.
pub fn set_tf32(allowed: bool) -> Result<(), TorchError> {
    understood(hf_set_tf32(allowed))
}

/// Whether only algorithms are taken that give the same bits each time, as far as libtorch has them: an operation on a GPU
/// that has none fails then. Else cuDNN measures its algorithms once for each shape, and takes the fastest.
///
/// Attention is computed on the CPU by other kernels then, too: it is for processes that compute on a GPU.
pub fn set_deterministic(on: bool) -> Result<(), TorchError> {
    understood(hf_set_deterministic(on))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(
            [version(13000), version(12080), version(0), version(-1)],
            [Some((13, 0)), Some((12, 8)), None, None]
        );
    }

    #[test]
    fn switches_are_there() {
        set_tf32(false).unwrap();
        set_deterministic(true).unwrap();
        set_deterministic(false).unwrap();
        assert_eq!(cuda_is_built(), cuda_version().is_some());
    }
}
