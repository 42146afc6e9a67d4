//! The functions of the C++ side, and how what they say is understood.

use std::ffi::{CStr, c_char, c_int, c_void};

/// What libtorch says went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TorchError(String);

impl std::fmt::Display for TorchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TorchError {}

// SAFETY: the signatures are those of cpp/driver.cpp and cpp/libtorch.cpp, none of which lets an exception out.
unsafe extern "C" {
    pub(crate) safe fn hf_driver_init() -> c_int;
    pub(crate) safe fn hf_driver_version() -> c_int;
    pub(crate) safe fn hf_driver_count() -> c_int;
    pub(crate) fn hf_driver_gpu(
        index: c_int,
        name: *mut c_char,
        length: c_int,
        major: *mut c_int,
        minor: *mut c_int,
    ) -> bool;
    pub(crate) safe fn hf_cuda_is_built() -> bool;
    pub(crate) safe fn hf_cuda_version() -> c_int;
    pub(crate) safe fn hf_set_tf32(allowed: bool) -> *mut c_char;
    pub(crate) safe fn hf_set_deterministic(on: bool) -> *mut c_char;
    pub(crate) fn hf_device_memory(index: c_int, allocated: *mut i64, reserved: *mut i64) -> *mut c_char;
    pub(crate) fn hf_send(tensor: *const c_void, index: c_int, sent: *mut *mut c_void) -> *mut c_char;
    fn free(text: *mut c_void);
}

/// What a function gave back: nothing, or the text of an exception.
pub(crate) fn understood(text: *mut c_char) -> Result<(), TorchError> {
    if text.is_null() {
        return Ok(());
    }
    // SAFETY: what is not null is a text that `strdup` made, which is ours to free, and nobody else has it.
    let said = unsafe {
        let said = CStr::from_ptr(text).to_string_lossy().into_owned();
        free(text.cast());
        said
    };
    Err(TorchError(said))
}
