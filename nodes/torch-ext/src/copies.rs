//! Copies for which the host does not wait.

use std::ffi::c_int;
use std::ptr;

use tch::{Device, Tensor};

use crate::TorchError;
use crate::foreign::{hf_send, understood};

/// A tensor of the CPU on `device`. On a GPU the host goes on while it is copied, by way of memory that does not move.
pub fn send(tensor: &Tensor, device: Device) -> Result<Tensor, TorchError> {
    let Device::Cuda(index) = device else { return Ok(tensor.to_device(device)) };
    let mut sent = ptr::null_mut();
    let index = c_int::try_from(index).unwrap_or(c_int::MAX);
    // SAFETY: tch's pointer is one to an `at::Tensor` that lives as long as `tensor`. What was made is a new `at::Tensor`,
    // which nobody else has, and tch deletes it as one that it made itself.
    unsafe {
        understood(hf_send(tensor.as_ptr().cast(), index, &raw mut sent))?;
        Ok(Tensor::from_ptr(sent.cast()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_to_the_cpu_is_there() {
        let x = Tensor::from_slice(&[1_i64, 2, 3]);
        assert_eq!(send(&x, Device::Cpu).unwrap(), x);
        if !tch::Cuda::is_available() {
            assert!(send(&x, Device::Cuda(0)).is_err());
        }
    }
}
