//! What the host made, on the device that computes with it.

use std::cell::RefCell;

use tch::{Device, Tensor};

/// A tensor of the CPU on `device`. On a GPU the host goes on while it is copied.
///
/// # Panics
/// Where there is no room, as plain tensor operations do: see [`catch`](crate::catch).
pub fn send(tensor: &Tensor, device: Device) -> Tensor {
    hyper_flow_torch_ext::send(tensor, device).expect("a tensor is copied to the device")
}

/// A table that never changes, and its copy on the device where it was last wanted.
#[derive(Debug)]
pub(crate) struct Constant {
    host: Tensor,
    sent: RefCell<Option<Tensor>>,
}

impl Constant {
    /// Of a tensor of the CPU.
    pub(crate) fn new(host: Tensor) -> Self {
        Self { host, sent: RefCell::default() }
    }

    /// The table on this device.
    pub(crate) fn on(&self, device: Device) -> Tensor {
        let mut sent = self.sent.borrow_mut();
        match sent.as_ref().filter(|sent| sent.device() == device) {
            Some(sent) => sent.shallow_clone(),
            None => sent.insert(send(&self.host, device)).shallow_clone(),
        }
    }
}
