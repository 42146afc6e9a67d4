//! What libtorch has and the tch crate does not reach, and what only NVIDIA's driver knows. The one crate with `unsafe`.
//!
//! What is absent: whatever is not used. Exceptions of C++ become a [`TorchError`]; a libtorch of another version than the
//! one that tch is made for does not compile.

mod copies;
mod driver;
mod foreign;
mod memory;
mod switches;

pub use copies::send;
pub use driver::{Driver, Gpu, InitError, driver};
pub use foreign::TorchError;
pub use memory::{DeviceMemory, device_memory};
pub use switches::{cuda_is_built, cuda_version, set_deterministic, set_tf32};
