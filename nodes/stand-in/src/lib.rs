//! A CUDA device made of host memory, and a driver that answers as it is told, for tests of placement.
//!
//! A worker that is started with [`DEVICE`] preloaded has a `Cuda(0)`: each operation there is the CPU's, on the same memory,
//! and refuses what CUDA would refuse: tensors of two devices, and the mixtures of dtypes that its kernels do not take. So a
//! test sees whether everything is where it should be, what is copied and how often the host waits. It says nothing of
//! kernels, their numbers, speed, or memory that is shared out by another allocator.
//!
//! | variable | meaning |
//! |---|---|
//! | `STAND_IN_COUNTS` | a folder, into which each process writes what it counted: `17 wait copy to host`, a line each |
//! | `STAND_IN_DEVICES` | how many devices libtorch sees; 1 |
//! | `STAND_IN_MEMORY` | bytes of a device; without end |
//!
//! [`DRIVER`] is a folder with a `libcuda.so.1` to be put first on the library path:
//!
//! | variable | meaning |
//! |---|---|
//! | `STAND_IN_INIT` | what `cuInit` gives back; 0 |
//! | `STAND_IN_DRIVER` | the CUDA version that the driver knows; 13000 |
//! | `STAND_IN_GPUS` | the GPUs' names and capabilities, `NVIDIA H200:9.0`, between commas |

/// The library to preload; there is none where libtorch has CUDA.
pub const DEVICE: &str = concat!(env!("OUT_DIR"), "/libcuda_device.so");

/// The folder of the driver's library.
pub const DRIVER: &str = concat!(env!("OUT_DIR"), "/driver");
